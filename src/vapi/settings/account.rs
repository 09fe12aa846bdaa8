//! Which account on Vapi's side: region, API, and what belongs to which dialed number.

use std::collections::BTreeMap;

use crate::carriers::{VapiRegion, is_sip_address};
use crate::settings::{SettingsReader, list};
use crate::units::DialedNumber;

/// The region and the API's address. An address of Vapi's settles the region where nothing else does.
pub(super) fn region(
    read: &mut SettingsReader,
    region: Option<VapiRegion>,
    api_url: Option<String>,
) -> (VapiRegion, String) {
    let url = read.url("vapi.api_url", api_url);
    let named = url.as_deref().and_then(VapiRegion::of_address);
    let region = region.or(named).unwrap_or(VapiRegion::Us);
    if named.is_some_and(|named| named != region) {
        let why = "is of another region than vapi.region says: leave one of the two out";
        read.fault("vapi.api_url", why);
    }
    let url = url.unwrap_or_else(|| region.api_url().to_owned());
    (region, url)
}

/// A list of dialed numbers, each with something behind a `=`; `example` is one of the latter.
pub(super) fn by_number(
    read: &mut SettingsReader,
    key: &'static str,
    text: Option<&str>,
    example: &str,
) -> BTreeMap<DialedNumber, String> {
    let mut found = BTreeMap::new();
    for entry in list(text.unwrap_or_default()) {
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

/// The SIP addresses of dialed numbers.
pub(super) fn sip_numbers(
    read: &mut SettingsReader,
    text: Option<&str>,
    region: VapiRegion,
) -> BTreeMap<DialedNumber, String> {
    let key = "vapi.sip_numbers";
    let found = by_number(read, key, text, "sip:office@sip.vapi.ai");
    for address in found.values() {
        if !is_sip_address(address) {
            let why = format!("`{address}` is not a SIP address, as in sip:office@sip.vapi.ai");
            read.fault(key, why);
        } else if VapiRegion::of_address(address).is_some_and(|named| named != region) {
            let why = format!("`{address}` is of another region of Vapi's than vapi.region says");
            read.fault(key, why);
        }
    }
    found
}
