//! What each carrier sends, and what it is answered.
//!
//! A call's way through this room: its webhook is proven ([`signature`]) and read ([`webhook`]), a token is made
//! for its stream ([`token`]), and it is answered with fork and forward ([`answer`], [`forward`]); then its
//! stream is read ([`stream`]). Where a PIN is asked for first ([`asked`]) there is a second webhook between the two.
//! [`check`] does the reading half for test calls. The endpoints are `reply`'s. Asterisk and jambonz are no carriers but
//! the customer's own exchanges; they come the same way.
//!
//! Architecture invariants: nothing here knows axum; nothing is read of a webhook before it is proven; one
//! request leaves this room, [`command`]'s to Telnyx.

pub mod answer;
pub mod asked;
mod attributes;
pub mod check;
pub mod command;
pub mod form;
pub mod forward;
mod settings;
pub mod signature;
pub mod stream;
pub mod token;
pub mod webhook;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use settings::{CarrierSettings, TelnyxApi, VonageScreening};

/// The carriers whose webhooks and streams are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// Twilio Programmable Voice.
    Twilio,
    /// Telnyx Call Control and TeXML.
    Telnyx,
    /// Vonage Voice API.
    Vonage,
    /// Bandwidth Programmable Voice.
    Bandwidth,
    /// Plivo Voice.
    Plivo,
    /// An Asterisk of the customer's own: `chan_websocket` and AudioSocket.
    Asterisk,
    /// A jambonz, hosted or of the customer's own.
    Jambonz,
}

impl Carrier {
    /// Every carrier.
    pub const ALL: [Self; 7] = [
        Self::Twilio,
        Self::Telnyx,
        Self::Vonage,
        Self::Bandwidth,
        Self::Plivo,
        Self::Asterisk,
        Self::Jambonz,
    ];

    /// The carrier in an address, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Twilio => "twilio",
            Self::Telnyx => "telnyx",
            Self::Vonage => "vonage",
            Self::Bandwidth => "bandwidth",
            Self::Plivo => "plivo",
            Self::Asterisk => "asterisk",
            Self::Jambonz => "jambonz",
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
