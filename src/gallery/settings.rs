//! `[gallery]`: where voiceprints are searched.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use crate::settings::SettingsReader;

use super::qdrant::QdrantSettings;

/// Where voiceprints are searched.
#[derive(Debug, Clone)]
pub enum GalleryChoice {
    /// In this process.
    Embedded,
    /// In a Qdrant server.
    Qdrant(QdrantSettings),
}

/// Where voiceprints are searched.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GallerySection {
    /// `embedded`: exactly, in this process. `qdrant`: in a Qdrant server.
    #[schema(inline)]
    #[default(Backend::Embedded)]
    pub backend: Backend,
    /// Qdrant's gRPC address, as in `http://127.0.0.1:6334`; needed with `qdrant`.
    pub qdrant_url: Option<String>,
    /// Qdrant's API key, where it asks for one.
    #[schema(format = Password)]
    pub qdrant_api_key: Option<String>,
    /// Prefix of the collections: another one for each deployment that shares the server.
    #[default = "voxline"]
    pub qdrant_collection: String,
    /// Seconds that Qdrant may take for an answer; then the call is inconclusive.
    #[schema(minimum = 0.05, maximum = 60.0)]
    #[default = 2.0]
    pub qdrant_timeout_seconds: f64,
}

/// Which store of voiceprints answers searches.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Backend {
    Embedded,
    Qdrant,
}

impl GallerySection {
    /// The backend that searches, with its address and collection; what is wrong with them is noted in `read`.
    pub fn checked(self, read: &mut SettingsReader) -> GalleryChoice {
        let named = self.qdrant_url.is_some();
        let url = read.url("gallery.qdrant_url", self.qdrant_url);
        if self.backend == Backend::Embedded {
            return GalleryChoice::Embedded;
        }
        if !named {
            read.fault(
                "gallery.qdrant_url",
                "gallery.backend is qdrant, but no address is given",
            );
        }
        GalleryChoice::Qdrant(QdrantSettings {
            url: url.unwrap_or_default(),
            api_key: self.qdrant_api_key.map(SecretString::from),
            collection: self.qdrant_collection,
            timeout: Duration::from_secs_f64(self.qdrant_timeout_seconds),
        })
    }
}
