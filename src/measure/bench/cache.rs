//! Embeddings kept between runs. They are biometric data: the folder and its files are their owner's alone.

use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::BenchError;
use super::heard::{HeardRecording, Item, Pipeline, Print, Prints, WindowCheck, seconds};
use crate::engine::Models;
use crate::speech::Span;
use crate::units::{Llr, hex};
use crate::verdict::{Presentation, Quality, RecentVoice};
use crate::voiceprint::{Bandwidth, Embedding};

/// A folder of what was heard, each file named by everything that could change it: the recording's bytes, the
/// models with their cards, what runs them, the condition with its noises, the pipeline, and this very build.
pub(super) struct Cache {
    folder: PathBuf,
    /// What all keys begin with.
    common: Sha256,
}

/// A voice: as text, and the seconds of speech it is of.
type KeptPrint = Option<(String, f64, Bandwidth)>;

/// What a countermeasure said: its ratio, and whether that is taken for spoofed.
type KeptPresentation = Option<(f64, bool)>;

/// The voice of the last seconds: as text, and how many seconds of speech it is of.
type KeptRecent = Option<(String, f64)>;

/// A checkpoint: seconds of speech, the voice, how many windows there were, the voice of the last seconds, how good the audio was,
/// and the countermeasure's word.
type KeptCheckpoint = (
    f64,
    KeptPrint,
    usize,
    KeptRecent,
    Option<Quality>,
    KeptPresentation,
);

/// A file of the cache.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(rename = "looks")]
    checkpoints: Vec<KeptCheckpoint>,
    checks: Vec<(usize, KeptCheckpoint)>,
    windows: Vec<String>,
    silence: KeptPrint,
    spans: Vec<(usize, usize)>,
    audio_s: f64,
    work_s: f64,
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

    /// The name of what is heard in these bytes, whether or not of the parts without speech too, and by which pipeline.
    pub fn key(&self, bytes: &[u8], item: &Item<'_>, (silence, pipeline): (bool, Pipeline)) -> String {
        let mut hash = self.common.clone();
        hash.update(Sha256::digest(bytes));
        let condition = item.condition.condition();
        let how = (
            item.seed,
            item.span,
            item.max_seconds,
            item.on_the_way,
            silence,
            pipeline,
        );
        hash.update(format!("{condition} {} {how:?}", item.condition.noise_digest()));
        hex(&hash.finalize())
    }

    /// What was kept under a key. A file that makes no sense is as good as none: it is heard again.
    pub fn recall(&self, key: &str) -> Result<Option<HeardRecording>, BenchError> {
        let path = self.path(key);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok().and_then(Kept::heard)),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(BenchError::Cache { path, cause }),
        }
    }

    /// Keeps what was heard, and gives it as it will be recalled.
    pub fn keep(&self, key: &str, heard: HeardRecording) -> Result<HeardRecording, BenchError> {
        let path = self.path(key);
        let kept = Kept::of(&heard);
        let write = || {
            let folder = path.parent().unwrap_or(&self.folder);
            own_folder(folder)?;
            // A half-written file is never seen under its name.
            let partial = folder.join(format!("{key}.{}", std::process::id()));
            let mut file = own_file(&partial)?;
            file.write_all(&serde_json::to_vec(&kept)?)?;
            std::fs::rename(&partial, &path)
        };
        write().map_err(|cause| BenchError::Cache {
            path: path.clone(),
            cause,
        })?;
        Ok(kept.heard().unwrap_or(heard))
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(&key[..2]).join(key)
    }
}

impl Kept {
    fn of(heard: &HeardRecording) -> Self {
        let text = |view: &Embedding| STANDARD_NO_PAD.encode(view.to_bytes());
        let print = |print: &Option<Print>| {
            let print = print.as_ref()?;
            Some((text(&print.voice), print.net_s, print.over))
        };
        let recent = |recent: &Option<RecentVoice>| {
            let recent = recent.as_ref()?;
            Some((text(&recent.voice), recent.net_speech.get()))
        };
        let checkpoint = |checkpoint: &Prints| {
            (
                checkpoint.at_s,
                print(&checkpoint.print),
                checkpoint.windows,
                recent(&checkpoint.recent),
                checkpoint.quality,
                checkpoint
                    .presentation
                    .map(|heard| (heard.llr.get(), heard.is_spoofed)),
            )
        };
        Self {
            checkpoints: heard.checkpoints.iter().map(checkpoint).collect(),
            checks: heard
                .checks
                .iter()
                .map(|one| (one.after, checkpoint(&one.prints)))
                .collect(),
            windows: heard.windows.iter().map(text).collect(),
            silence: print(&heard.silence),
            spans: heard.spans.iter().map(|span| (span.start, span.end)).collect(),
            audio_s: heard.audio_s,
            work_s: heard.work_s,
        }
    }

    fn heard(self) -> Option<HeardRecording> {
        let embedding = |text: String| Embedding::from_bytes(&STANDARD_NO_PAD.decode(text).ok()?).ok();
        // Twice `Option`: a print that cannot be read spoils the file, none at all does not.
        let print = |kept: KeptPrint| {
            let read = |(text, net_s, over)| {
                Some(Print {
                    voice: embedding(text)?,
                    net_s,
                    over,
                })
            };
            kept.map_or(Some(None), |kept| read(kept).map(Some))
        };
        let span = |(start, end)| Span { start, end };
        let presentation = |kept: KeptPresentation| {
            let read = |(llr, is_spoofed)| {
                let llr = Llr::new(llr).ok()?;
                Some(Presentation {
                    llr,
                    is_spoofed,
                    // What is asked once a call is over, of its other streams.
                    was_spoofed: false,
                })
            };
            kept.map_or(Some(None), |kept| read(kept).map(Some))
        };
        let recent = |kept: KeptRecent| {
            let read = |(text, net_s)| {
                Some(RecentVoice {
                    voice: embedding(text)?,
                    net_speech: seconds(net_s),
                })
            };
            kept.map_or(Some(None), |kept| read(kept).map(Some))
        };
        let checkpoint = |(at_s, kept, windows, last, quality, heard): KeptCheckpoint| {
            Some(Prints {
                at_s,
                print: print(kept)?,
                windows,
                recent: recent(last)?,
                quality,
                presentation: presentation(heard)?,
            })
        };
        let check = |(after, kept)| {
            Some(WindowCheck {
                after,
                prints: checkpoint(kept)?,
            })
        };
        Some(HeardRecording {
            checks: self.checks.into_iter().map(check).collect::<Option<_>>()?,
            checkpoints: self
                .checkpoints
                .into_iter()
                .map(checkpoint)
                .collect::<Option<_>>()?,
            windows: self.windows.into_iter().map(embedding).collect::<Option<_>>()?,
            silence: print(self.silence)?,
            spans: self.spans.into_iter().map(span).collect(),
            audio_s: self.audio_s,
            work_s: self.work_s,
        })
    }
}

#[cfg(unix)]
fn own_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

#[cfg(unix)]
fn own_file(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn own_folder(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)
}

#[cfg(not(unix))]
fn own_file(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::File::create(path)
}

#[cfg(test)]
mod tests {
    use super::super::super::condition::Condition;
    use super::super::benchmark::tests::models;
    use super::super::heard_protocol::tests::recording;
    use super::*;
    use crate::voiceprint::Card;

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
            let key = cache.key(b"recording", &item, (false, Pipeline::Product));
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
        let once = Kept::of(&heard).heard().unwrap();
        let twice = Kept::of(&heard).heard().unwrap();
        assert_eq!(once, twice);
        assert_eq!(
            (once.checkpoints.len(), once.audio_s, once.silence.is_some()),
            (2, 3.0, true)
        );
    }
}
