//! Vapi's regions, and SIP addresses, which name one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// In which of Vapi's regions the account is. API and SIP addresses go together: an account of one region is not
/// known in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
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

/// Whether a text is a SIP address of a user at a host that can stand in a carrier's document as it is.
pub(crate) fn is_sip_address(text: &str) -> bool {
    let rest = text.strip_prefix("sip:").or_else(|| text.strip_prefix("sips:"));
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "+-_.:;=@{}".contains(sign);
    rest.is_some_and(|rest| {
        let parts = rest.split_once('@');
        parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()) && rest.chars().all(plain)
    })
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
