//! Which account on Vapi's side, and how much of it is Voxline's: `vapi.region`, `vapi.api_url`, `vapi.mode`.

use std::collections::BTreeMap;

use crate::units::DialedNumber;

use super::super::sources::Reader;

/// Where Vapi's messages are meant to come to Voxline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VapiMode {
    /// The server of the numbers, of their assistants and of our tools: every message comes here.
    Assistant,
    /// The server of the numbers and of our tools alone: the assistants keep theirs.
    Number,
}

/// In which of Vapi's regions the account is. API and SIP addresses go together: an account of one region is not
/// known in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VapiRegion {
    /// United States.
    Us,
    /// Europe.
    Eu,
}

impl VapiRegion {
    /// The API's address, without a slash at its end.
    pub fn api_url(self) -> &'static str {
        match self {
            Self::Us => "https://api.vapi.ai",
            Self::Eu => "https://api.eu.vapi.ai",
        }
    }

    /// The host of SIP addresses.
    pub fn sip_host(self) -> &'static str {
        match self {
            Self::Us => "sip.vapi.ai",
            Self::Eu => "sip.eu.vapi.ai",
        }
    }

    /// The region that an address names: an API's, or a SIP address with anything in front of its host. `None` for
    /// an address that is not Vapi's.
    pub fn of_address(address: &str) -> Option<Self> {
        let address = address.to_ascii_lowercase();
        let behind_scheme = address
            .split_once("//")
            .map_or(address.as_str(), |(_, rest)| rest);
        let behind_user = behind_scheme.rsplit('@').next().unwrap_or_default();
        let host = behind_user.split([':', '/', ';', '?']).next().unwrap_or_default();
        let within = |suffix: &str| host == &suffix[1..] || host.ends_with(suffix);
        if within(".eu.vapi.ai") {
            return Some(Self::Eu);
        }
        (host == "api.vapi.ai" || within(".sip.vapi.ai")).then_some(Self::Us)
    }
}

pub(super) fn mode(read: &mut Reader) -> VapiMode {
    match read.one_of("vapi.mode", &["assistant", "number"], "assistant") {
        "number" => VapiMode::Number,
        _ => VapiMode::Assistant,
    }
}

/// The region and the API's address. An address of Vapi's settles the region where nothing else does.
pub(super) fn region(read: &mut Reader) -> (VapiRegion, String) {
    let url = read.url("vapi.api_url");
    let named = url.as_deref().and_then(VapiRegion::of_address);
    let usual = if named == Some(VapiRegion::Eu) { "eu" } else { "us" };
    let region = match read.one_of("vapi.region", &["us", "eu"], usual) {
        "eu" => VapiRegion::Eu,
        _ => VapiRegion::Us,
    };
    if named.is_some_and(|named| named != region) {
        let why = "is of another region than vapi.region says: leave one of the two out";
        read.fault("vapi.api_url", why.to_owned());
    }
    let url = url.unwrap_or_else(|| region.api_url().to_owned());
    (region, url)
}

/// A list of dialed numbers, each with something behind a `=`; `example` is one of the latter.
pub(super) fn by_number(
    read: &mut Reader,
    key: &'static str,
    example: &str,
) -> BTreeMap<DialedNumber, String> {
    let mut found = BTreeMap::new();
    for entry in read.list(key, "") {
        let pair = entry.split_once('=').and_then(|(number, other)| {
            let other = other.trim();
            Some((number.trim().parse().ok()?, other.to_owned())).filter(|_| !other.is_empty())
        });
        match pair {
            Some((number, other)) => {
                found.insert(number, other);
            }
            None => read.fault(
                key,
                format!("`{entry}` is not a number and what belongs to it, as in +12025550102={example}"),
            ),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_vapis_names_its_region_and_any_other_none() {
        for (address, region) in [
            ("https://api.vapi.ai", Some(VapiRegion::Us)),
            ("https://API.eu.vapi.ai/", Some(VapiRegion::Eu)),
            ("sip:{number}@sip.vapi.ai", Some(VapiRegion::Us)),
            (
                "sip:{number}@c-1.sip.vapi.ai:5061;transport=tls",
                Some(VapiRegion::Us),
            ),
            ("sips:a@c-1.sip.eu.vapi.ai", Some(VapiRegion::Eu)),
            ("http://127.0.0.1:1234", None),
            ("https://api.vapi.ai.example.com", None),
            ("https://notsip.vapi.ai.example", None),
            ("", None),
        ] {
            assert_eq!(VapiRegion::of_address(address), region, "{address}");
        }
    }
}
