//! Our filter bank beside kaldi-native-fbank's Rust port, over the same 10 s of noise. (Beside the C++
//! original and sherpa-onnx: `benches/compare.py`.)
//!
//! Its elements are samples of audio: at 16 kHz, 16 Melem/s is a thousand times faster than speech.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kaldi_native_fbank::fbank::{FbankComputer, FbankOptions};
use kaldi_native_fbank::window::{Window, extract_window, num_frames};
use voxline::voiceprint::{
    KaldiFbank, KaldiSettings, KaldiWindow, MeanNormalisation, NemoMel, NemoNormalisation, NemoSettings,
    NemoWindow, Slaney, SpeechbrainFbank, SpeechbrainSettings, SpeechbrainWindow,
};

/// sherpa-onnx's constants, which are also the port's defaults but for the upper edge.
const KALDI: KaldiSettings = KaldiSettings {
    sample_scale: 32_768.0,
    window: KaldiWindow::Povey,
    window_length: 400,
    hop_length: 160,
    n_fft: 512,
    snip_edges: false,
    remove_dc_offset: true,
    preemphasis: 0.97,
    n_mels: 80,
    f_min: 20.0,
    f_max: -400.0,
    normalisation: MeanNormalisation::None,
};

const SPEECHBRAIN: SpeechbrainSettings = SpeechbrainSettings {
    n_fft: 400,
    window: SpeechbrainWindow::Hamming,
    window_length: 400,
    hop_length: 160,
    n_mels: 80,
    f_min: 0.0,
    f_max: 8_000.0,
    amin: 1e-10,
    top_db: 80.0,
    normalisation: MeanNormalisation::UtteranceMean,
};

const NEMO: NemoSettings = NemoSettings {
    n_fft: 512,
    window: NemoWindow::Hann,
    window_length: 400,
    hop_length: 160,
    preemphasis: 0.97,
    n_mels: 80,
    f_min: 0.0,
    f_max: 8_000.0,
    mel_scale: Slaney::Slaney,
    mel_norm: Slaney::Slaney,
    log_guard: 5.960_464_477_539_063e-8,
    normalisation: NemoNormalisation::PerFeature,
    std_guard: 1e-5,
};

/// Ten seconds that sound like nothing (xorshift32, Marsaglia 2003).
fn noise() -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state as f32 / u32::MAX as f32 - 0.5) * 0.1
    };
    (0..160_000).map(|_| next()).collect()
}

/// The port with its tables, made once as ours are.
struct Ported {
    options: FbankOptions,
    computer: FbankComputer,
    window: Option<Window>,
    frame: Vec<f32>,
}

impl Ported {
    fn new() -> Self {
        let mut options = FbankOptions {
            use_energy: false,
            ..FbankOptions::default()
        };
        options.frame_opts.dither = 0.0;
        options.frame_opts.snip_edges = false;
        options.mel_opts.num_bins = 80;
        options.mel_opts.high_freq = -400.0;
        Self {
            computer: FbankComputer::new(options.clone()).expect("valid options"),
            window: Window::new(&options.frame_opts),
            frame: vec![0.0; options.frame_opts.padded_window_size()],
            options,
        }
    }

    fn append(&mut self, scaled: &[f32], features: &mut Vec<f32>) {
        let (options, window) = (&self.options.frame_opts, self.window.as_ref());
        for at in 0..num_frames(scaled.len(), options, true) {
            let energy = extract_window(0, scaled, at, options, window, &mut self.frame).expect("a frame");
            let begin = features.len();
            features.resize(begin + 80, 0.0);
            self.computer
                .compute(energy, 1.0, &mut self.frame, &mut features[begin..]);
        }
    }
}

fn filter_banks(criterion: &mut Criterion) {
    let audio = noise();
    let mut group = criterion.benchmark_group("front end, 10 s");
    group.throughput(Throughput::Elements(audio.len() as u64));
    let mut features = Vec::new();
    let mut ours = KaldiFbank::new(KALDI);
    group.bench_function("Kaldi fbank, ours", |bencher| {
        bencher.iter(|| {
            features.clear();
            ours.append(black_box(&audio), &mut features)
        });
    });
    let scaled: Vec<f32> = audio.iter().map(|sample| sample * 32_768.0).collect();
    let mut ported = Ported::new();
    group.bench_function("Kaldi fbank, kaldi-native-fbank 0.1.0", |bencher| {
        bencher.iter(|| {
            features.clear();
            ported.append(black_box(&scaled), &mut features);
        });
    });
    let mut brain = SpeechbrainFbank::new(SPEECHBRAIN);
    group.bench_function("SpeechBrain fbank", |bencher| {
        bencher.iter(|| {
            features.clear();
            brain.append(black_box(&audio), &mut features)
        });
    });
    let mut nemo = NemoMel::new(NEMO);
    group.bench_function("NeMo mel", |bencher| {
        bencher.iter(|| {
            features.clear();
            nemo.append(black_box(&audio), &mut features)
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = filter_banks
}
criterion_main!(benches);
