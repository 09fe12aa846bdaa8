//! Embeddings kept between runs. They are biometric data: the folder and its files are their owner's alone.

use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::BenchError;
use super::heard::{HeardRecording, Item};
use crate::engine::Models;
use crate::units::hex;

/// A folder of what was heard, each file named by everything that could change it: the recording's bytes, the
/// models with their cards, what runs them, the condition with its noises, and this very build.
pub(super) struct Cache {
    folder: PathBuf,
    /// What all keys begin with.
    common: Sha256,
}

impl Cache {
    /// Opens or makes the folder.
    pub fn open(folder: &Path, models: &Models) -> Result<Self, BenchError> {
        let fault = |path: &Path, cause| BenchError::Cache {
            path: path.to_owned(),
            cause,
        };
        own_folder(folder).map_err(|cause| fault(folder, cause))?;
        let mut common = Sha256::new();
        for path in [&models.vad_graph, &models.segmentation_graph] {
            let bytes = std::fs::read(path).map_err(|cause| fault(path, cause))?;
            common.update(Sha256::digest(bytes));
        }
        // A library without a folder is looked for by the system: its name is all that is known of it here.
        let runtime = std::fs::read(&models.library);
        let runtime = runtime.unwrap_or_else(|_| models.library.as_os_str().as_encoded_bytes().to_vec());
        common.update(Sha256::digest(runtime));
        // Whole cards: a front end hears differently by each of its constants, and no hash of weights knows them.
        common.update(format!("{:?} {:?}", models.card, models.countermeasure));
        // Another build may hear differently, and nobody would notice.
        let built = std::env::current_exe().and_then(std::fs::metadata);
        let built = built.and_then(|file| Ok((file.len(), file.modified()?)));
        common.update(format!("{built:?}"));
        Ok(Self {
            folder: folder.to_owned(),
            common,
        })
    }

    /// The name of what is heard in these bytes, whether or not of the parts without speech too.
    pub fn key(&self, bytes: &[u8], item: &Item<'_>, silence: bool) -> String {
        let mut hash = self.common.clone();
        hash.update(Sha256::digest(bytes));
        let condition = item.condition.condition();
        let how = (item.seed, item.span, item.max_seconds, item.on_the_way, silence);
        hash.update(format!("{condition} {} {how:?}", item.condition.noise_digest()));
        hex(&hash.finalize())
    }

    /// What was kept under a key. A file that makes no sense is as good as none: it is heard again.
    pub fn recall(&self, key: &str) -> Result<Option<HeardRecording>, BenchError> {
        let path = self.path(key);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(BenchError::Cache { path, cause }),
        }
    }

    /// Keeps what was heard, and gives it as it will be recalled.
    pub fn keep(&self, key: &str, heard: HeardRecording) -> Result<HeardRecording, BenchError> {
        let path = self.path(key);
        let write = || -> std::io::Result<Option<HeardRecording>> {
            let kept = serde_json::to_vec(&heard)?;
            let folder = path.parent().unwrap_or(&self.folder);
            own_folder(folder)?;
            // A half-written file is never seen under its name.
            let partial = folder.join(format!("{key}.{}", std::process::id()));
            let mut file = own_file(&partial)?;
            file.write_all(&kept)?;
            std::fs::rename(&partial, &path)?;
            Ok(serde_json::from_slice(&kept).ok())
        };
        let recalled = write().map_err(|cause| BenchError::Cache {
            path: path.clone(),
            cause,
        })?;
        Ok(recalled.unwrap_or(heard))
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(&key[..2]).join(key)
    }
}

fn own_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

fn own_file(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::super::super::condition::Condition;
    use super::super::benchmark::tests::models;
    use super::super::heard::{Print, Prints, WindowCheck, seconds};
    use super::super::heard_protocol::tests::recording;
    use super::*;
    use crate::speech::Span;
    use crate::units::Llr;
    use crate::verdict::{Presentation, Quality, RecentVoice};
    use crate::voiceprint::{Bandwidth, Card, Embedding};

    #[test]
    fn another_front_end_another_noise_or_another_runtime_is_heard_anew() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &[u8]| std::fs::write(place(name), text).unwrap();
        let card = std::fs::read_to_string(models().card.calibration().with_file_name("card.toml")).unwrap();
        let noise = |fixture: &str| {
            let audio = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/audio");
            std::fs::create_dir_all(place("noise")).unwrap();
            std::fs::copy(audio.join(fixture), place("noise/a.ogg")).unwrap();
        };
        for name in ["library", "vad", "segmentation"] {
            write(name, name.as_bytes());
        }
        write("card.toml", card.as_bytes());
        noise("ogg-vorbis.ogg");
        let recalled = |keep: bool| {
            let models = Models {
                library: place("library"),
                vad_graph: place("vad"),
                segmentation_graph: place("segmentation"),
                card: Card::read(folder.path()).unwrap(),
                countermeasure: None,
            };
            let cache = Cache::open(&place("cache"), &models).unwrap();
            let condition: Condition = format!("noise:10:{}", place("noise").display()).parse().unwrap();
            let condition = condition.prepare().unwrap();
            let item = Item {
                path: PathBuf::new(),
                seed: 1,
                span: None,
                max_seconds: 0.0,
                condition: &condition,
                on_the_way: true,
            };
            let key = cache.key(b"recording", &item, false);
            let found = cache.recall(&key).unwrap().is_some();
            if keep {
                cache.keep(&key, recording(Vec::new(), Vec::new())).unwrap();
            }
            found
        };
        assert!(!recalled(true) && recalled(false));
        noise("flac.flac");
        assert!(!recalled(false), "another noise");
        noise("ogg-vorbis.ogg");
        assert!(recalled(false));
        write("library", b"another");
        assert!(!recalled(false), "another runtime");
        write("library", b"library");
        let other = card.replace("window = \"povey\"", "window = \"hamming\"");
        assert_ne!(other, card);
        write("card.toml", other.as_bytes());
        assert!(!recalled(false), "another front end");
    }

    #[test]
    fn what_is_recalled_once_is_recalled_the_same_ever_after() {
        let embedding = Embedding::from_direction(vec![0.3, -0.1, 0.77]).unwrap();
        let print = Some(Print {
            voice: embedding.clone(),
            net_s: 1.25,
            over: Bandwidth::Wide,
        });
        let checkpoints = vec![
            Prints {
                at_s: 1.25,
                print: print.clone(),
                ..Prints::default()
            },
            Prints {
                at_s: 2.0,
                print: None,
                windows: 1,
                recent: Some(RecentVoice {
                    voice: embedding.clone(),
                    net_speech: seconds(2.4),
                }),
                quality: Some(Quality {
                    bandwidth: Bandwidth::Narrow,
                    snr_db: Some(21.4),
                    clipping: 0.0,
                    overlap: None,
                }),
                presentation: Some(Presentation {
                    llr: Llr::new(-2.25).unwrap(),
                    is_spoofed: false,
                    was_spoofed: false,
                }),
            },
        ];
        let check = WindowCheck {
            after: 1,
            prints: checkpoints[0].clone(),
        };
        let heard = HeardRecording {
            checkpoints,
            checks: vec![check],
            windows: vec![embedding],
            silence: print,
            spans: vec![Span {
                start: 512,
                end: 1024,
            }],
            audio_s: 3.0,
            work_s: 0.125,
        };
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache {
            folder: folder.path().to_owned(),
            common: Sha256::new(),
        };
        let once = cache.keep("key", heard.clone()).unwrap();
        for _ in 0..2 {
            assert_eq!(cache.recall("key").unwrap().as_ref(), Some(&once));
        }
        // All of it but the last bit of a voice: reading one makes its length 1 once more.
        assert_eq!(format!("{once:?}"), format!("{heard:?}"));
    }
}
