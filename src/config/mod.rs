//! The configuration: defaults, then `voxline.toml`, then `VOXLINE_*` in the environment, then flags.
//!
//! What can be set are the serde structs of `settings`, a section each. Values are merged as text by key
//! (`sources`), checked against the kinds and ranges of those structs (`schema`, `reader`), and become a
//! [`Config`] when the sections have checked what one setting means for another; the program never sees a raw
//! value. All faults are listed at once, each with where it came from, and stop the start: a setting that is wrong
//! is never replaced by a default. `docs/settings.md` is made of the same structs.

// In order: a file uses only those above it, and none of its own group.
mod fault;
mod schema;

mod sources;

mod reader;
mod region;

mod exchanges;
mod gallery;
mod identity;
mod pin_prompt;
mod policy;
mod retention;
mod signup;
mod store;
mod tls;
mod vapi;

mod carriers;

mod settings;

mod checked;

mod home;
#[cfg(test)]
mod reference;

pub use carriers::{ByteOrder, CarrierConfig};
pub use checked::{Config, DEFAULT_MODEL};
pub use exchanges::{AudioSocketConfig, ExchangeConfig};
pub use fault::{Fault, Faults};
pub use gallery::GalleryChoice;
pub use home::Home;
pub use identity::IdentitySettings;
pub use pin_prompt::PinPrompt;
pub use region::VapiRegion;
pub use signup::SignupConfig;
pub use sources::Sources;
pub use tls::TlsConfig;
pub use vapi::{
    ForwardTrust, HmacAlgorithm, HmacPlan, ListenDefaults, ToolMessage, UpstreamConfig, UpstreamHeader,
    VapiAuth, VapiConfig, VapiMode,
};

/// What a setting is given as, whatever else is wrong; `None` where it is not given.
pub fn given(sources: &Sources, key: &str) -> Option<String> {
    let mut merged = sources::Merged::of(sources, &checked::SETTINGS);
    let value = merged.given.remove(key)?.value.trim().to_owned();
    (!value.is_empty()).then_some(value)
}

/// A configuration of this file alone, or all that is wrong with it.
#[cfg(test)]
fn of_file(file: &str) -> Result<Config, String> {
    let sources = Sources {
        file: Some(("voxline.toml".into(), file.to_owned())),
        ..Sources::default()
    };
    Config::load(&sources).map_err(|faults| faults.to_string())
}
