//! Tests alone: what settings of several sections mean for each other, whichever rooms check it.

use crate::settings::Sources;

use super::checked::Config;

fn of_file(file: &str) -> Result<Config, String> {
    let sources = Sources {
        file: Some(("voxline.toml".into(), file.to_owned())),
        ..Sources::default()
    };
    Config::load(&sources).map_err(|faults| faults.to_string())
}

fn faults(file: &str) -> String {
    of_file(file).err().unwrap_or_default()
}

#[test]
fn a_good_set_of_carriers_is_taken() {
    let file = "public_url = \"https://id.example.com\"\n[carriers]\nforward_to = \"sip:{number}@sip.vapi.ai\"\n\
                [bandwidth]\nusername = \"u\"\npassword = \"p\"\n[telnyx]\n\
                public_key = \"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"\nl16_order = \"big\"";
    assert_eq!(faults(file), "");
}

#[test]
fn a_region_settles_the_api_and_the_sip_host_together() {
    for file in [
        "[vapi]\nregion = \"eu\"",
        "[vapi]\napi_url = \"https://api.eu.vapi.ai\"",
    ] {
        let config = of_file(file).unwrap();
        assert_eq!(config.vapi.api_url, "https://api.eu.vapi.ai");
        assert_eq!(config.carriers.forward.address, "sip:{number}@sip.eu.vapi.ai");
    }
}

#[test]
fn halves_and_misspellings_are_named() {
    for (file, said) in [
        (
            "[twilio]\nauth_token = \"t\"",
            "`twilio.auth_token` (voxline.toml): is set, but not public_url",
        ),
        ("[bandwidth]\nusername = \"u\"", "but not bandwidth.password"),
        ("[carriers]\nsip_password = \"p\"", "but not carriers.sip_user"),
        (
            "[carriers]\nforward_to = \"https://vapi.ai\"",
            "is not a SIP address",
        ),
        (
            "[carriers]\nforward_to = \"sip:a@b?X-Evil=1\"",
            "is not a SIP address",
        ),
        (
            "[carriers]\nforward_to = \"sip:a@b</Sip>\"",
            "is not a SIP address",
        ),
        (
            "[carriers]\nforward_to = \"sip:{number}@c-1.sip.eu.vapi.ai\"",
            "is of another region",
        ),
        (
            "[vapi]\nregion = \"eu\"\napi_url = \"https://api.vapi.ai\"",
            "is of another region",
        ),
        (
            "[vapi]\nsip_numbers = \"+12025550102=sip:a@b</Sip>\"",
            "is not a SIP address",
        ),
        (
            "[vapi]\nsip_numbers = \"+12025550102=sip:a@sip.eu.vapi.ai\"",
            "is of another region",
        ),
        (
            "[asterisk]\naudiosocket = \"127.0.0.1:9092\"",
            "but not asterisk.username",
        ),
        ("[jambonz]\nwebhook_secret = \"s\"", "but not public_url"),
        ("[signalwire]\nsigning_key = \"s\"", "but not public_url"),
        ("[jambonz]\nusername = \"u\"", "but not jambonz.password"),
        ("[telnyx]\npublic_key = \"AAAA\"", "is not the 32 bytes"),
        ("[plivo]\nl16_order = \"middle\"", "auto, little, big"),
    ] {
        let faults = faults(file);
        assert!(faults.contains(said), "{faults} does not say {said}");
    }
}

#[test]
fn the_address_is_the_public_one_or_the_listeners_with_the_scheme_it_speaks() {
    for (file, address) in [
        ("", "http://127.0.0.1:8080"),
        (
            "[tls]\ncertificate = \"/c.pem\"\nkey = \"/k.pem\"",
            "https://127.0.0.1:8080",
        ),
        (
            "public_url = \"https://id.example.com/\"",
            "https://id.example.com",
        ),
    ] {
        assert_eq!(of_file(file).unwrap().reply.address, address);
    }
}
