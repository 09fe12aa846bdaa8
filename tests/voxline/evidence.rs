//! Forwarding evidence: the table of the Diversion header, History-Info, and PASSporTs that are verified.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use time::OffsetDateTime;
use voxline::evidence::passport::{self, PassportFault, TrustStore};
use voxline::evidence::{
    AttestationLevel, CallFacts, Headers, Malformed, Note, Place, Region, Source, diversion, read_facts,
};
use voxline::units::DialedNumber;

/// A row of the table: the header, the region, and the numbers that are in it, `-` for an entry without one.
type Row = (&'static str, &'static str, &'static [&'static str]);

const ALICE: &str = "+12025550103";
const ECHO: &str = "<sip:+12025550102@twilio.com>;reason=unconditional";

/// Rows 1 to 21 of the table of RFC 5806 headers as carriers send them (RFC 5806, erratum 3177). Expected values by
/// the standards' rules; none was made by this code.
const TABLE: &[Row] = &[
    (
        "<sip:+12025550103@10.0.0.1:5060>;reason=unconditional;counter=1;privacy=off",
        "US",
        &[ALICE],
    ),
    (
        r#""Doe, Jane" <sip:+12025550103@h>;reason=user-busy, <sip:+12025550104@h>;reason=no-answer"#,
        "US",
        &[ALICE, "+12025550104"],
    ),
    (
        r#""a \"q\" <sip:+12025550199@evil>" <sip:+12025550103@h>"#,
        "US",
        &[ALICE],
    ),
    ("<tel:+1-202-555-0103>;reason=deflection", "US", &[ALICE]),
    (
        r#"<sip:2025550103@h;user=phone>;reason="unknown""#,
        "US",
        &[ALICE],
    ),
    ("<sip:2025550103;phone-context=+1@h;user=phone>", "US", &[ALICE]),
    ("<sip:2025550103;phone-context=national@h>", "US", &[ALICE]),
    (
        "<sip:+112025550103@h>;privacy=off;screen=no; reason=unknown; counter=1",
        "US",
        &[ALICE],
    ),
    ("sip:+12025550103@h;reason=follow-me", "US", &[ALICE]),
    (
        "<sip:0493363501@h;user=phone>;reason=UNCONDITIONAL",
        "AU",
        &["+61493363501"],
    ),
    ("<sip:0033612345678@h>", "GB", &["+33612345678"]),
    ("<sip:33612345678@h>", "FR", &["+33612345678"]),
    ("<sip:anonymous@anonymous.invalid>;privacy=full", "US", &["-"]),
    ("<sip:Restricted@h>;reason=unknown", "US", &["-"]),
    ("<sip:%2B12025550103@h>", "US", &[ALICE]),
    ("<sip:+12025550103:pw@h>", "US", &[ALICE]),
    ("<sip:1001@pbx.local>;reason=no-answer", "US", &["-"]),
    (
        "<sip:+12025550102@twilio.com>;reason=unconditional, \
         <sip:+34612345678@10.1.1.1;user=phone>;reason=unknown;counter=1",
        "US",
        &["+12025550102", "+34612345678"],
    ),
    (ECHO, "US", &["+12025550102"]),
    ("", "US", &[]),
    (",,", "US", &[]),
    // As carriers that check signatures, port numbers and name their trunks write it: RFC 4694, RFC 4904, 3GPP TS 24.229.
    (
        "<sip:+12025550103;verstat=TN-Validation-Passed@h;user=phone>",
        "US",
        &[ALICE],
    ),
    (
        "<sip:+1-202-555-0103;npdi;rn=+12025550199@h;user=phone>",
        "US",
        &[ALICE],
    ),
    (
        "<tel:+12025550103;rn=+12025550199;tgrp=t-1;trunk-context=+1-202>",
        "US",
        &[ALICE],
    ),
    ("<sip:@h>", "US", &["-"]),
];

fn dialed() -> DialedNumber {
    "+12025550102".parse().unwrap()
}

fn found(pairs: &[(&str, &str)]) -> voxline::evidence::Found {
    let facts = CallFacts::from_sip(Source::Sip, &Headers::from_pairs(pairs.iter().copied()), true);
    read_facts(&facts, &dialed(), &|_| false, Region::of(&dialed(), None))
}

#[test]
fn every_row_of_the_diversion_table_is_read_as_it_says() {
    for (row, (text, region, numbers)) in TABLE.iter().enumerate() {
        let parties = diversion::parse(text, region.parse().unwrap()).unwrap();
        let read: Vec<&str> = parties
            .iter()
            .map(|party| party.number.as_ref().map_or("-", |number| number.as_e164()))
            .collect();
        assert_eq!(read, *numbers, "row {}: {text}", row + 1);
    }
    let private = diversion::parse(TABLE[12].0, Region::UNKNOWN).unwrap();
    assert!(private[0].private);
    let unclosed = diversion::parse("<sip:+12025550103@h", Region::UNKNOWN);
    assert_eq!(unclosed, Err(Malformed::Bracket));
}

#[test]
fn several_header_lines_are_one_list() {
    let lines = found(&[("Diversion", ECHO), ("diversion", "<sip:+12025550103@h>")]);
    assert_eq!(lines.forwarder().unwrap().number.as_e164(), ALICE);
}

#[test]
fn a_broken_older_line_costs_not_the_newest() {
    let (newest, broken) = ("<sip:+12025550103@h>", "\"Bob <sip:+12025550104@h>");
    let of = |lines: &[&str]| {
        let found = found(&lines.iter().map(|line| ("Diversion", *line)).collect::<Vec<_>>());
        let number = found.forwarder().map(|one| one.number.as_e164().to_owned());
        (number, found.notes)
    };
    let older = vec![Note::MalformedOlder(Place::Diversion, Malformed::Quote)];
    assert_eq!(
        of(&[newest, broken, "<sip:+12025550105@h>"]),
        (Some(ALICE.to_owned()), older)
    );
    // What stands behind an echo or before everything is the newest itself.
    let fatal = vec![Note::Malformed(Place::Diversion, Malformed::Quote)];
    for lines in [[broken, newest], [ECHO, broken]] {
        assert_eq!(of(&lines), (None, fatal.clone()), "{lines:?}");
    }
    let one_line = format!("{newest}, {broken}");
    assert_eq!(of(&[one_line.as_str()]), (None, fatal));
    let flood = "<sip:+12025550104@h>,".repeat(20);
    let too_many = vec![Note::Malformed(Place::Diversion, Malformed::TooMany)];
    assert_eq!(of(&[newest, flood.as_str()]), (None, too_many));
    let history = [
        ("History-Info", "<sip:+12025550103@h>;index=1"),
        ("History-Info", broken),
    ];
    assert_eq!(
        found(&history).notes,
        [Note::Malformed(Place::HistoryInfo, Malformed::Quote)]
    );
}

#[test]
fn caps_hold_and_what_is_beyond_them_is_not_read_in_part() {
    let many = "<sip:+12025550103@h>,".repeat(21);
    assert_eq!(diversion::parse(&many, Region::UNKNOWN), Err(Malformed::TooMany));
    let long = format!("<sip:+12025550103@{}>", "h".repeat(9_000));
    assert_eq!(diversion::parse(&long, Region::UNKNOWN), Err(Malformed::TooLong));
    let found = found(&[("Diversion", &long)]);
    assert_eq!(
        found.notes,
        [Note::Malformed(Place::Diversion, Malformed::TooLong)]
    );
}

/// A provider with a certificate under a root of its own.
pub struct Provider {
    /// The certificate that signs the others, in PEM.
    pub root: String,
    /// In PEM, its own certificate alone.
    pub chain: String,
    key: EcdsaKeyPair,
}

impl Provider {
    pub fn new() -> Self {
        let mut root = CertificateParams::new(Vec::new()).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(Vec::new())
            .unwrap()
            .signed_by(&key, &root)
            .unwrap();
        let pkcs8 = key.serialize_der();
        Self {
            root: root.pem(),
            chain: leaf.pem(),
            key: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &SystemRandom::new())
                .unwrap(),
        }
    }

    fn roots(&self) -> TrustStore {
        TrustStore::from_pem(self.root.as_bytes()).unwrap()
    }

    /// A PASSporT of its own.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn div(issued_at: i64) -> (Value, Value) {
    (
        json!({"alg": "ES256", "ppt": "div", "typ": "passport", "x5u": "https://cert.example/p.pem"}),
        json!({"dest": {"tn": ["12025550102"]}, "div": {"tn": "12025550103"}, "iat": issued_at,
               "orig": {"tn": "12025550101"}}),
    )
}

#[test]
fn a_passport_is_verified_by_its_signature_its_certificate_and_its_age() {
    let now = OffsetDateTime::now_utc();
    let (ours, theirs) = (Provider::new(), Provider::new());
    let (header, claims) = div(now.unix_timestamp());
    let token = ours.sign(&header, &claims);
    let read = passport::decode(&token).unwrap();
    let verify = |chain: &str, roots: &TrustStore, at| passport::verify(&read, chain.as_bytes(), roots, at);
    assert_eq!(verify(&ours.chain, &ours.roots(), now), Ok(()));
    assert!(matches!(
        verify(&ours.chain, &theirs.roots(), now),
        Err(PassportFault::Untrusted(_))
    ));
    assert!(matches!(
        verify(&ours.chain, &TrustStore::default(), now),
        Err(PassportFault::Untrusted(_))
    ));
    assert_eq!(
        verify(&theirs.chain, &theirs.roots(), now),
        Err(PassportFault::Signature)
    );
    for late in [-61, 61] {
        let at = now + time::Duration::seconds(late);
        assert_eq!(verify(&ours.chain, &ours.roots(), at), Err(PassportFault::Stale));
    }
    for nothing in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert_eq!(
            verify(nothing, &ours.roots(), now),
            Err(PassportFault::Certificates)
        );
    }
    let unsigned = ours.sign(&json!({"alg": "none", "ppt": "div"}), &claims);
    let unsigned = passport::decode(&unsigned).unwrap();
    assert_eq!(
        passport::verify(&unsigned, ours.chain.as_bytes(), &ours.roots(), now),
        Err(PassportFault::Algorithm)
    );
}

#[test]
fn another_claim_under_the_same_signature_is_refused() {
    let now = OffsetDateTime::now_utc();
    let provider = Provider::new();
    let (header, claims) = div(now.unix_timestamp());
    let token = provider.sign(&header, &claims);
    let mut forged = claims;
    forged["div"]["tn"] = json!("12025550104");
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts[1] = URL_SAFE_NO_PAD.encode(forged.to_string());
    let forged = passport::decode(&parts.join(".")).unwrap();
    let answer = passport::verify(&forged, provider.chain.as_bytes(), &provider.roots(), now);
    assert_eq!(answer, Err(PassportFault::Signature));
}

/// What PASSporTs come to on a call from …0101 to …0102.
fn by_passports(tokens: &[String], verified: &[usize]) -> voxline::evidence::Found {
    by_passports_from("+12025550101", tokens, verified)
}

fn by_passports_from(from: &str, tokens: &[String], verified: &[usize]) -> voxline::evidence::Found {
    let headers = Headers::from_pairs([
        ("From", format!("<sip:{from}@h>")),
        ("Identity", tokens.join(", ")),
    ]);
    let mut facts = CallFacts::from_sip(Source::Sip, &headers, true);
    facts.verified_passports = verified.to_vec();
    read_facts(&facts, &dialed(), &|_| false, Region::of(&dialed(), None))
}

#[test]
fn a_call_meant_for_another_number_and_one_diverted_name_the_forwarder() {
    let provider = Provider::new();
    let shaken = |destination: &str| {
        provider.sign(
            &json!({"alg": "ES256", "ppt": "shaken"}),
            &json!({"attest": "A", "dest": {"tn": [destination]}, "iat": 1, "orig": {"tn": "12025550101"},
                    "origid": "0f5e"}),
        )
    };
    let forwarded = by_passports(&[shaken("12025550103")], &[]);
    assert_eq!(forwarded.passports[0].number.as_e164(), ALICE);
    assert_eq!(
        (forwarded.passports[0].place, forwarded.passports[0].verified),
        (Place::PassportDest, false)
    );
    assert!(!forwarded.attestation.unwrap().verified);
    let direct = by_passports(&[shaken("12025550102")], &[]);
    assert!(direct.passports.is_empty() && direct.attestation.is_some());

    let (header, claims) = div(1);
    let diverted = by_passports(&[provider.sign(&header, &claims)], &[0]);
    assert_eq!(
        (diverted.passports[0].place, diverted.passports[0].verified),
        (Place::PassportDiv, true)
    );
}

#[test]
fn a_verified_passport_says_more_than_a_verstat_unless_that_failed() {
    let token = Provider::new().sign(
        &json!({"alg": "ES256", "ppt": "shaken"}),
        &json!({"attest": "A", "dest": {"tn": ["12025550102"]}, "iat": 1, "orig": {"tn": "12025550101"},
                "origid": "0f5e"}),
    );
    let level = |verstat: &str, identity: Option<&str>, verified: &[usize]| {
        let asserted = format!("<sip:+12025550101;verstat={verstat}@h>");
        let own = [
            ("From", "<sip:+12025550101@h>"),
            ("P-Asserted-Identity", asserted.as_str()),
        ];
        let signed = identity.map(|token| ("Identity", token));
        let headers = Headers::from_pairs(own.into_iter().chain(signed));
        let mut facts = CallFacts::from_sip(Source::Sip, &headers, true);
        facts.verified_passports = verified.to_vec();
        let found = read_facts(&facts, &dialed(), &|_| false, Region::of(&dialed(), None));
        found.attestation.map(|read| (read.level, read.verified))
    };
    let (passed, failed, token) = (
        "TN-Validation-Passed",
        "TN-Validation-Failed",
        Some(token.as_str()),
    );
    assert_eq!(level(passed, token, &[0]), Some((AttestationLevel::A, true)));
    assert_eq!(level(passed, token, &[]), Some((AttestationLevel::C, true)));
    assert_eq!(level(passed, None, &[]), Some((AttestationLevel::C, true)));
    assert_eq!(level(failed, token, &[0]), Some((AttestationLevel::Failed, true)));
    assert_eq!(
        level("No-TN-Validation", token, &[]),
        Some((AttestationLevel::A, false))
    );
}

#[test]
fn a_passport_of_another_call_is_worth_nothing() {
    let provider = Provider::new();
    let (header, mut claims) = div(1);
    claims["orig"]["tn"] = json!("12025550177");
    let lifted = by_passports(&[provider.sign(&header, &claims)], &[0]);
    assert!(lifted.passports.is_empty());
    assert_eq!(lifted.notes, [Note::OtherCaller]);
    let (header, mut claims) = div(1);
    claims["dest"]["tn"] = json!(["12025550188"]);
    let elsewhere = by_passports(&[provider.sign(&header, &claims)], &[0]);
    assert!(!elsewhere.passports[0].verified);
    assert_eq!(elsewhere.notes, [Note::BrokenChain]);
}

/// A `div` by which …`by` diverted the call to …`to`.
fn diverted(provider: &Provider, by: &str, to: &str) -> String {
    let (header, mut claims) = div(1);
    claims["div"]["tn"] = json!(format!("1202555{by}"));
    claims["dest"]["tn"] = json!([format!("1202555{to}")]);
    provider.sign(&header, &claims)
}

/// Who forwarded by PASSporTs, and whether that is verified.
fn links(found: &voxline::evidence::Found) -> Vec<(&str, bool)> {
    let links = found.passports.iter();
    links.map(|link| (link.number.as_e164(), link.verified)).collect()
}

#[test]
fn of_several_divs_the_last_diverter_owns_the_line() {
    let provider = Provider::new();
    let shaken = provider.sign(
        &json!({"alg": "ES256", "ppt": "shaken"}),
        &json!({"attest": "A", "dest": {"tn": ["12025550103"]}, "iat": 1, "orig": {"tn": "12025550101"},
                "origid": "0f5e"}),
    );
    let (first, last) = (
        diverted(&provider, "0103", "0104"),
        diverted(&provider, "0104", "0102"),
    );
    for tokens in [
        [shaken.clone(), first.clone(), last.clone()],
        [last.clone(), first, shaken],
    ] {
        let verified = by_passports(&tokens, &[0, 1, 2]);
        assert_eq!(links(&verified), [("+12025550104", true)]);
        assert_eq!(verified.notes, []);
        assert_eq!(links(&by_passports(&tokens, &[])), [("+12025550104", false)]);
    }
    // Of two that lead here the signed one.
    let other = diverted(&provider, "0105", "0102");
    assert_eq!(
        links(&by_passports(&[other, last], &[1])),
        [("+12025550104", true)]
    );
}

#[test]
fn a_chain_through_an_unverified_div_is_broken() {
    let provider = Provider::new();
    let tokens = [
        diverted(&provider, "0103", "0188"),
        diverted(&provider, "0188", "0102"),
    ];
    let found = by_passports(&tokens, &[0]);
    assert_eq!(links(&found), [("+12025550103", false), ("+12025550188", false)]);
    assert_eq!(found.notes, [Note::BrokenChain]);
}

#[test]
fn a_passport_tells_that_the_number_in_from_is_the_forwarders() {
    let provider = Provider::new();
    let (header, diverted) = div(1);
    let mut meant = diverted.clone();
    meant.as_object_mut().unwrap().remove("div");
    meant["dest"]["tn"] = json!(["12025550103"]);
    for (claims, place) in [(diverted, Place::PassportDiv), (meant, Place::PassportDest)] {
        let tokens = [provider.sign(&header, &claims)];
        // Another calls Alice, whose carrier writes her number into From.
        let found = by_passports_from(ALICE, &tokens, &[0]);
        assert!(found.caller_forwarded(), "{place:?}");
        assert_eq!(
            (found.passports[0].place, found.passports[0].verified),
            (place, false)
        );
        assert_eq!(found.attestation, None);
        assert!(!by_passports(&tokens, &[0]).caller_forwarded());
    }
}
