//! Who is not let in.

use voxline::carriers::Carrier;

use super::peer::{Deployment, NUMBER, direct};
use super::proofs::{login, path, proof};

#[tokio::test]
async fn webhooks_without_their_carriers_signature_are_refused_unread() {
    let deployment = Deployment::empty().await;
    let call = direct("CA1");
    for carrier in Carrier::ALL {
        let body = call.webhook(carrier);
        let good = proof(carrier, &body);
        assert_eq!(
            deployment.send_with(carrier, &body, &good).await.0,
            200,
            "{carrier}"
        );
        let (status, said) = deployment.send_with(carrier, &body, &[]).await;
        assert_eq!(status, 401, "{carrier}: {said}");
        let mut bent = good.clone();
        bent[0].1 = format!("{}AAAA", &bent[0].1[..bent[0].1.len() - 6]);
        assert_eq!(
            deployment.send_with(carrier, &body, &bent).await.0,
            401,
            "{carrier}"
        );
        // These proofs are a password and say nothing of the body.
        if !matches!(carrier, Carrier::Bandwidth | Carrier::Asterisk) {
            let other = body.replace("CA1", "CA2");
            assert_eq!(
                deployment.send_with(carrier, &other, &good).await.0,
                401,
                "{carrier}"
            );
        }
        assert!(!said.contains(NUMBER), "{said}");
    }
}

/// Bandwidth sends its login to who asks for it, in a second request, and to nobody else.
#[tokio::test]
async fn who_is_known_by_a_login_is_asked_for_it() {
    let deployment = Deployment::empty().await;
    for carrier in Carrier::ALL {
        let url = format!("{}{}", deployment.service.base, path(carrier));
        let answer = deployment.service.http.post(url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 401, "{carrier}");
        let asked = answer.headers()["www-authenticate"].to_str().unwrap();
        // Of jambonz there is a secret here, and its signature is asked for.
        let by_login = matches!(carrier, Carrier::Bandwidth | Carrier::Asterisk);
        assert_eq!(asked.starts_with("Basic realm="), by_login, "{carrier}: {asked}");
        // Its streams too, where none is waited for.
        let url = format!("{}/media/{carrier}", deployment.service.base);
        let answer = deployment.service.http.get(url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 401, "{carrier}");
        let asked = answer.headers()["www-authenticate"].to_str().unwrap();
        let by_login = by_login || carrier == Carrier::Jambonz;
        assert_eq!(asked.starts_with("Basic realm="), by_login, "{carrier}: {asked}");
    }
}

#[tokio::test]
async fn an_api_key_opens_a_stream_and_no_webhook() {
    let deployment = Deployment::empty().await;
    let key = [("authorization", format!("Bearer {}", deployment.service.key))];
    for carrier in Carrier::ALL {
        assert!(deployment.open(carrier, &key).await.is_ok(), "{carrier}");
        let (status, _) = deployment.send_with(carrier, "{}", &key).await;
        assert_eq!(status, 401, "{carrier}");
    }
}

#[tokio::test]
async fn a_handshake_with_a_forged_proof_is_refused_and_with_a_good_one_let_in() {
    let deployment = Deployment::empty().await;
    for (carrier, good, forged) in [
        (
            Carrier::Bandwidth,
            proof(Carrier::Bandwidth, ""),
            vec![("authorization", "Basic dTpw".to_owned())],
        ),
        (
            Carrier::Asterisk,
            login(),
            vec![("authorization", "Basic dTpw".to_owned())],
        ),
        (
            Carrier::Jambonz,
            login(),
            vec![("authorization", "Basic dTpw".to_owned())],
        ),
        (
            Carrier::Vonage,
            proof(Carrier::Vonage, ""),
            vec![("authorization", "Bearer a.b.c".to_owned())],
        ),
    ] {
        assert!(deployment.open(carrier, &good).await.is_ok(), "{carrier}");
        assert_eq!(
            deployment.open(carrier, &forged).await.err(),
            Some(401),
            "{carrier}"
        );
    }
    let (status, said) = deployment.send_with(Carrier::Twilio, "", &[]).await;
    assert_eq!(status, 401, "{said}");
}

#[tokio::test]
async fn there_are_no_other_carriers() {
    let deployment = Deployment::empty().await;
    let url = format!("{}/carriers/nobody/voice", deployment.service.base);
    let answer = deployment.service.http.post(url).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 404);
}
