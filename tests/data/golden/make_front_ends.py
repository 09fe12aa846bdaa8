#!/usr/bin/env python3
"""Write the golden values that the front ends of other people's models are tested against.

Nothing here is Voxline's own arithmetic. Kaldi's filter bank is that of kaldi-native-fbank (C++), with
torchaudio's `compliance.kaldi` as a second witness, since that is what WeSpeaker and 3D-Speaker train on.
NeMo's and SpeechBrain's are written down from their published definitions over torch's STFT; for NeMo with
librosa's mel filters, as in the original, and kaldi-native-fbank's NeMo features as a second witness. The
embeddings are sherpa-onnx's. Run from anywhere:

    python3.11 -m venv /tmp/golden && . /tmp/golden/bin/activate
    pip install torch==2.15.0 torchaudio==2.11.0 numpy==2.4.6 librosa==0.11.0 soundfile==0.14.0 \\
        kaldi-native-fbank==1.23.0 sherpa-onnx==2.0.1
    python tests/data/golden/make_front_ends.py [FOLDER WITH campplus.onnx AND ecapa512.onnx]

In:   speech.wav                 3 s, 16 kHz (see make_golden.py); features are those of its first second
Out:  fbank_wespeaker.f32        [98, 80]   Hamming, whole frames, 20 Hz to Nyquist, 16-bit scale
      fbank_3d_speaker.f32       [98, 80]   the same with Povey's window and samples from -1 to 1
      fbank_sherpa.f32           [100, 80]  Povey, mirrored ends, 20 Hz to Nyquist - 400, 16-bit scale, mean
                                            over the utterance taken off
      fbank_speechbrain.f32      [101, 80]  dB, mean taken off
      mel_nemo.f32               [100, 80]  logarithm, standardised per bin
      sherpa.json                embeddings of speech.wav, repeated for some seconds, by graphs with random
                                 weights, which are named by their SHA-256 and not in the repository

The lengths of the clips of sherpa.json are chosen: CAM++ pools over windows of 200 frames, and for a last one
that is not full the ONNX Runtime 1.28.2 inside sherpa-onnx 2.0.1 gives another mean than PyTorch, while 1.31.1
gives PyTorch's. Whole windows agree to cosine 1.0000000; 5 s, with half a window, to 0.999996; 3 s to 0.99998.
"""

import functools
import hashlib
import importlib.util
import json
import sys
import types
from pathlib import Path

import kaldi_native_fbank
import librosa
import numpy as np
import sherpa_onnx
import soundfile
import torch

HERE = Path(__file__).resolve().parent
GRAPHS = HERE.parents[3] / "shared/models/random_weights"
RATE = 16_000


def main() -> None:
    speech, rate = soundfile.read(HERE / "speech.wav", dtype="float32")
    assert rate == RATE and speech.shape == (3 * RATE,)
    second = speech[:RATE]
    write("fbank_wespeaker.f32", kaldi(second * 32768, "hamming", snip_edges=True, high=0))
    write("fbank_3d_speaker.f32", kaldi(second, "povey", snip_edges=True, high=0))
    sherpa = kaldi(second * 32768, "povey", snip_edges=False, high=-400)
    write("fbank_sherpa.f32", sherpa - sherpa.mean(axis=0))
    write("fbank_speechbrain.f32", speechbrain(second))
    write("mel_nemo.f32", nemo(second))
    graphs = Path(sys.argv[1]) if len(sys.argv) > 1 else GRAPHS
    names = ("campplus.onnx", "ecapa512.onnx")
    clips = [embedding(graphs / name, speech, seconds) for name in names for seconds in (2, 5)]
    (HERE / "sherpa.json").write_text(json.dumps(clips, indent=1) + "\n", encoding="utf-8")


def kaldi(samples: np.ndarray, window: str, snip_edges: bool, high: float) -> np.ndarray:
    """Kaldi's log mel filter bank by kaldi-native-fbank, seen to be torchaudio's."""
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = RATE
    options.frame_opts.snip_edges = snip_edges
    options.frame_opts.window_type = window
    options.mel_opts.num_bins = 80
    options.mel_opts.low_freq = 20
    options.mel_opts.high_freq = high
    options.energy_floor = 0
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(RATE, samples.tolist())
    bank.input_finished()
    frames = np.stack([bank.get_frame(at) for at in range(bank.num_frames_ready)])
    second_witness = torchaudio_kaldi().fbank(
        torch.from_numpy(samples)[None],
        num_mel_bins=80,
        sample_frequency=RATE,
        window_type=window,
        dither=0,
        snip_edges=snip_edges,
        high_freq=high,
    ).numpy()
    apart = np.abs(frames - second_witness).max()
    assert frames.shape == second_witness.shape and apart < 1e-3, apart
    return frames


@functools.cache
def torchaudio_kaldi() -> types.ModuleType:
    """torchaudio's `compliance/kaldi.py` by itself: the package wants the very CUDA of its torch, which this
    file does not use."""
    folder = Path(importlib.util.find_spec("torchaudio").submodule_search_locations[0])
    sys.modules.setdefault("torchaudio", types.ModuleType("torchaudio"))
    spec = importlib.util.spec_from_file_location("kaldi", folder / "compliance/kaldi.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def speechbrain(samples: np.ndarray) -> np.ndarray:
    """`Fbank(n_mels=80)` then `InputNormalization(norm_type="sentence", std_norm=False)`."""
    window = torch.hamming_window(400)
    spectrum = torch.stft(
        torch.from_numpy(samples), 400, 160, 400, window, center=True, pad_mode="constant", return_complex=True
    )
    power = spectrum.abs().double() ** 2
    mel = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 82)
    hertz = 700 * (10 ** (mel / 2595) - 1)
    width, centre = np.diff(hertz)[:-1], hertz[1:-1]
    slope = (np.linspace(0, 8000, 201)[None] - centre[:, None]) / width[:, None]
    filters = np.maximum(0, np.minimum(1 + slope, 1 - slope))
    decibels = 10 * np.log10(np.maximum(filters @ power.numpy(), 1e-10))
    decibels = np.maximum(decibels, decibels.max() - 80).T
    return decibels - decibels.mean(axis=0)


def nemo(samples: np.ndarray) -> np.ndarray:
    """`AudioToMelSpectrogramPreprocessor` of TitaNet in evaluation: window 25 ms, stride 10 ms, 80 features,
    n_fft 512, normalize per_feature; no dither, no padding to a multiple of 16."""
    signal = torch.from_numpy(samples)
    signal = torch.cat([signal[:1], signal[1:] - 0.97 * signal[:-1]])
    window = torch.hann_window(400, periodic=False)
    spectrum = torch.stft(
        signal, 512, 160, 400, window, center=True, pad_mode="constant", return_complex=True
    )
    power = spectrum.abs().double() ** 2
    filters = librosa.filters.mel(sr=RATE, n_fft=512, n_mels=80, fmin=0, fmax=8000, norm="slaney")
    features = torch.log(torch.from_numpy(filters).double() @ power + 2**-24)
    features = features[:, : len(samples) // 160]  # get_seq_len
    bank = kaldi_native_fbank.OnlineNemoFbank(kaldi_native_fbank.NemoFbankOptions())
    bank.accept_waveform(RATE, samples.tolist())
    bank.input_finished()
    second_witness = torch.from_numpy(bank.get_frames(0, bank.num_frames_ready)[0]).T
    assert features.shape == second_witness.shape and (features - second_witness).abs().max() < 1e-3
    mean, deviation = features.mean(dim=1, keepdim=True), features.std(dim=1, keepdim=True)
    return ((features - mean) / (deviation + 1e-5)).T.numpy()


def embedding(graph: Path, speech: np.ndarray, seconds: int) -> dict:
    """What sherpa-onnx gives for so much of the speech, by its own front end."""
    config = sherpa_onnx.SpeakerEmbeddingExtractorConfig(model=str(graph), num_threads=1)
    extractor = sherpa_onnx.SpeakerEmbeddingExtractor(config)
    stream = extractor.create_stream()
    stream.accept_waveform(RATE, np.resize(speech, seconds * RATE))
    stream.input_finished()
    values = np.asarray(extractor.compute(stream), dtype=np.float64)
    return {
        "graph": graph.name,
        "seconds": seconds,
        "sha256": hashlib.sha256(graph.read_bytes()).hexdigest(),
        "embedding": [float(f"{value:.7g}") for value in values / np.linalg.norm(values)],
    }


def write(name: str, values: np.ndarray) -> None:
    """Little-endian float32, row by row."""
    (HERE / name).write_bytes(np.ascontiguousarray(values, dtype="<f4").tobytes())
    print(name, values.shape)


if __name__ == "__main__":
    main()
