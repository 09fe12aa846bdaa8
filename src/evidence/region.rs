//! The region whose local spellings a number is read by.

use std::str::FromStr;

use phonenumber::country;

use crate::units::{DialedNumber, plan};

/// An ISO 3166-1 region, or none: then only numbers with their country code can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Region(Option<country::Id>);

impl Region {
    /// No region: only international spellings are understood.
    pub const UNKNOWN: Self = Self(None);

    /// The region of a dialed number: the one its owner gave (two letters, as in `US`), otherwise that of
    /// its country code. Codes that several countries share give the plan's main one.
    pub fn of(dialed: &DialedNumber, stated: Option<&str>) -> Self {
        let stated = stated.and_then(|letters| letters.parse().ok());
        stated.unwrap_or_else(|| Self(plan::region_of(dialed.as_e164())))
    }

    pub(super) fn id(self) -> Option<country::Id> {
        self.0
    }
}

/// Two letters that name no region of a numbering plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a region is two letters of ISO 3166-1, as in US")]
pub struct UnknownRegion;

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Self, UnknownRegion> {
        let letters = text.trim().to_ascii_uppercase();
        let id = letters.parse::<country::Id>().map_err(|_| UnknownRegion)?;
        Ok(Self(Some(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_given_region_or_else_its_country_codes() {
        let number: DialedNumber = "+12025550102".parse().unwrap();
        assert_eq!(Region::of(&number, None), "US".parse().unwrap());
        assert_eq!(Region::of(&number, Some("CA")), "ca".parse().unwrap());
        assert_eq!(Region::of(&number, Some("??")), "US".parse().unwrap());
        let samara: DialedNumber = "+78462123456".parse().unwrap();
        assert_eq!(Region::of(&samara, None), "RU".parse().unwrap());
        let paris: DialedNumber = "+33612345678".parse().unwrap();
        assert_eq!(Region::of(&paris, None), "FR".parse().unwrap());
    }
}
