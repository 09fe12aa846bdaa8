//! What each carrier sends, what it is answered, and the calls that come of it.
//!
//! A call's way through this room: its webhook is proven ([`signature`]), and [`Carriers::answer`] reads it ([`webhook`]),
//! tells the call's session, makes a token for its stream (`token`), and answers with fork and forward ([`answer`],
//! [`forward`]); then its stream is read ([`stream`]) into a [`CarrierStream`], which feeds the session. Where a PIN is
//! asked for first (`asked`) there is a second webhook between the two. [`check`] does the reading half for test calls.
//! The endpoints are `reply`'s. Asterisk and jambonz are no carriers but the customer's own exchanges; they come the same
//! way.
//!
//! Architecture invariants: nothing here knows axum; nothing is read of a webhook before it is proven; one
//! request leaves this room, [`command`]'s to Telnyx. The files stand in the order in which they build on one another.

pub mod form;
pub mod signature;
mod region;
pub mod forward;
mod settings;
mod attributes;
pub mod stream;
pub mod webhook;
pub mod answer;
pub mod command;
mod together;
mod token_text;
mod token;
mod asked;
mod unseen;
mod service;
mod live;
pub mod check;

use serde::{Deserialize, Serialize};

use crate::units::words;

pub use live::{CarrierStream, Entry, ScreeningTime, StreamEnd, Unopened};
pub use region::VapiRegion;
pub use service::Carriers;
pub use settings::{AudioSocketSettings, ByteOrder, CarrierSettings, PinPrompt, TelnyxApi, VonageScreening};

pub(crate) use region::is_sip_address;
pub(crate) use settings::{
    AsteriskSection, BandwidthSection, CarrierSections, CarriersSection, JambonzSection, PlivoSection,
    SignalWireSection, TelnyxSection, TwilioSection, VonageSection,
};

words! {
    /// The carriers whose webhooks and streams are understood, in the order of the documentation, each with its name in an
    /// address.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Carrier {
        /// Twilio Programmable Voice.
        Twilio = "twilio",
        /// Telnyx Call Control and TeXML.
        Telnyx = "telnyx",
        /// Vonage Voice API.
        Vonage = "vonage",
        /// Bandwidth Programmable Voice.
        Bandwidth = "bandwidth",
        /// Plivo Voice.
        Plivo = "plivo",
        /// An Asterisk of the customer's own: `chan_websocket` and AudioSocket.
        Asterisk = "asterisk",
        /// A jambonz, hosted or of the customer's own.
        Jambonz = "jambonz",
    }
}

impl Carrier {
    /// The settings that its requests are proven by.
    pub const fn proven_by(self) -> &'static [&'static str] {
        match self {
            Self::Twilio => &["twilio.auth_token"],
            Self::Telnyx => &["telnyx.public_key"],
            Self::Vonage => &["vonage.signature_secret"],
            Self::Bandwidth => &["bandwidth.username", "bandwidth.password"],
            Self::Plivo => &["plivo.auth_token"],
            Self::Asterisk => &["asterisk.username", "asterisk.password"],
            Self::Jambonz => &["jambonz.webhook_secret"],
        }
    }

    /// Whether its streams prove themselves in the `Authorization` header, where others bring an API key.
    pub const fn signs_in_authorization(self) -> bool {
        match self {
            Self::Vonage | Self::Bandwidth | Self::Asterisk | Self::Jambonz => true,
            Self::Twilio | Self::Telnyx | Self::Plivo => false,
        }
    }
}
