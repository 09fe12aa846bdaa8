//! How voices are written into the cache, as text. They are biometric data: their own types cannot be written anywhere, and
//! what holds them here says so field by field.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::de::Error;

use crate::voiceprint::Embedding;

fn text(voice: &Embedding) -> String {
    STANDARD_NO_PAD.encode(voice.to_bytes())
}

fn read<E: Error>(text: &str) -> Result<Embedding, E> {
    let bytes = STANDARD_NO_PAD.decode(text).map_err(E::custom)?;
    Embedding::from_bytes(&bytes).map_err(E::custom)
}

/// One voice.
pub(super) mod voice {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::voiceprint::Embedding;

    pub fn serialize<S: Serializer>(voice: &Embedding, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::text(voice))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Embedding, D::Error> {
        super::read(&String::deserialize(from)?)
    }
}

/// Several voices.
pub(super) mod voices {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::voiceprint::Embedding;

    pub fn serialize<S: Serializer>(voices: &[Embedding], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(voices.iter().map(super::text))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Embedding>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        texts.iter().map(|text| super::read(text)).collect()
    }
}

/// The voice of the last seconds, and how much speech it is of.
pub(super) mod recent {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::units::Seconds;
    use crate::verdict::RecentVoice;

    #[allow(clippy::ref_option, reason = "serde gives the field as it is")]
    pub fn serialize<S: Serializer>(recent: &Option<RecentVoice>, to: S) -> Result<S::Ok, S::Error> {
        let kept = recent.as_ref();
        let kept = kept.map(|recent| (super::text(&recent.voice), recent.net_speech));
        kept.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RecentVoice>, D::Error> {
        let kept = Option::<(String, Seconds)>::deserialize(from)?;
        let read = |(text, net_speech): (String, Seconds)| {
            super::read(&text).map(|voice| RecentVoice { voice, net_speech })
        };
        kept.map(read).transpose()
    }
}
