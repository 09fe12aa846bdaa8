//! What calls came to, in figures.

use serde::Serialize;

use super::super::bootstrap::quantile;
use super::call::{Made, Name};
use super::track::FRAMES_A_SECOND;

/// The middle and the tail of some measurements.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many there were.
    pub count: usize,
    /// Half are at most this.
    pub p50: f64,
    /// Nineteen of twenty are.
    pub p95: f64,
    /// Ninety-nine of a hundred are.
    pub p99: f64,
}

impl Quantiles {
    /// Of values in any order; `None` of none.
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then(|| Self {
            count: values.len(),
            p50: quantile(&values, 0.50),
            p95: quantile(&values, 0.95),
            p99: quantile(&values, 0.99),
        })
    }
}

/// How many last words named whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// The caller, or nobody where they are on no roster.
    pub right: usize,
    /// Another user than the caller.
    pub wrong: usize,
    /// Nobody, though the caller is on the roster.
    pub missed: usize,
    /// It could not be said.
    pub undecided: usize,
    /// The service had no room to listen.
    pub unavailable: usize,
}

/// The server's memory at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MemorySample {
    /// Seconds since the first call of the step.
    pub at_s: f64,
    /// Megabytes (10^6 bytes) that are resident.
    pub resident_mb: f64,
}

/// What so many calls at a time came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LoadStep {
    /// Calls at a time.
    pub calls: usize,
    /// Long recordings that were analysed meanwhile, at a time.
    pub files: usize,
    /// Calls that were made in all.
    pub made: usize,
    /// Calls that the service had no place for, or no room to listen to.
    pub refused: usize,
    /// Calls that failed otherwise.
    pub failed: usize,
    /// Why the first of them did.
    pub first_failure: Option<String>,
    /// Decision lag (ms): from the sending of the last frame that an update needed to its coming.
    pub decision_lag_ms: Option<Quantiles>,
    /// Updates that say more speech than was sent, so that their lag cannot be said.
    pub unplaced_updates: usize,
    /// From hanging up to the last word (ms).
    pub hang_up_ms: Option<Quantiles>,
    /// From a call's first frame to the first name, or to the first time that it is nobody's (s).
    pub first_verdict_s: Option<Quantiles>,
    /// Whom the last words named.
    pub names: Names,
    /// Seconds of audio that were streamed.
    pub call_seconds: f64,
    /// Seconds of speech in it.
    pub speech_seconds: f64,
    /// Processor time that the server took (s).
    pub cpu_seconds: Option<f64>,
    /// The same a second of audio that was streamed (ms).
    pub cpu_ms_per_call_second: Option<f64>,
    /// The same a second of speech (ms).
    pub cpu_ms_per_speech_second: Option<f64>,
    /// The most memory that the server had (MB).
    pub peak_memory_mb: Option<f64>,
    /// Its memory over time.
    pub memory: Vec<MemorySample>,
    /// By how much it grew an hour over the last three quarters of the time (MB), by least squares.
    pub memory_growth_mb_per_hour: Option<f64>,
    /// How late (ms) frames were sent: the generator's own delay, and that of a server that takes no more.
    pub sending_late_ms: Option<Quantiles>,
    /// Long recordings that were analysed to their end.
    pub files_done: usize,
    /// Seconds of recordings analysed a second.
    pub files_times_real_time: Option<f64>,
}

/// What is measured of the server and of files, besides the calls.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside {
    pub cpu_seconds: Option<f64>,
    pub memory: Vec<MemorySample>,
    pub files_done: usize,
    pub file_seconds: f64,
    pub took_s: f64,
}

impl LoadStep {
    /// The figures of some calls. `speech` says how many seconds of it each had.
    pub(super) fn of(calls: usize, files: usize, made: Vec<(Made, f64)>, beside: Beside) -> Self {
        let mut step = Self {
            calls,
            files,
            made: made.len(),
            ..Self::default()
        };
        let (mut lags, mut hang_ups, mut firsts, mut late) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (made, speech) in made {
            step.count(&made);
            step.call_seconds += made.frames as f64 / FRAMES_A_SECOND;
            step.speech_seconds += speech;
            step.unplaced_updates += made.unplaced;
            lags.extend(made.lags_ms);
            hang_ups.extend(made.hang_up_ms);
            firsts.extend(made.first_verdict_s);
            add(&mut late, &made.late_ms);
        }
        step.decision_lag_ms = Quantiles::of(lags);
        step.hang_up_ms = Quantiles::of(hang_ups);
        step.first_verdict_s = Quantiles::of(firsts);
        step.sending_late_ms = of_counts(&late);
        step.with(beside)
    }

    fn count(&mut self, made: &Made) {
        let names = &mut self.names;
        match made.name {
            Some(Name::Right) => names.right += 1,
            Some(Name::Wrong) => names.wrong += 1,
            Some(Name::Missed) => names.missed += 1,
            Some(Name::Undecided) => names.undecided += 1,
            Some(Name::Unavailable) => names.unavailable += 1,
            None => {}
        }
        if made.refused || made.name == Some(Name::Unavailable) {
            self.refused += 1;
        } else if let Some(fault) = &made.fault {
            self.failed += 1;
            self.first_failure.get_or_insert_with(|| fault.clone());
        }
    }

    fn with(mut self, beside: Beside) -> Self {
        self.cpu_seconds = beside.cpu_seconds;
        let a_second_of = |seconds: f64| {
            let cpu = beside.cpu_seconds.filter(|_| seconds > 0.0);
            cpu.map(|cpu| 1e3 * cpu / seconds)
        };
        self.cpu_ms_per_call_second = a_second_of(self.call_seconds);
        self.cpu_ms_per_speech_second = a_second_of(self.speech_seconds);
        let resident = beside.memory.iter().map(|sample| sample.resident_mb);
        self.peak_memory_mb = resident.max_by(f64::total_cmp);
        self.memory_growth_mb_per_hour = growth(&beside.memory);
        self.memory = beside.memory;
        self.files_done = beside.files_done;
        self.files_times_real_time =
            (self.files > 0 && beside.took_s > 0.0).then(|| beside.file_seconds / beside.took_s);
        self
    }
}

fn add(sums: &mut Vec<u32>, counts: &[u32]) {
    sums.resize(sums.len().max(counts.len()), 0);
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
}

/// The quantiles of values that were counted by whole numbers.
fn of_counts(counts: &[u32]) -> Option<Quantiles> {
    let total: usize = counts.iter().map(|count| *count as usize).sum();
    let at = |share: f64| {
        let wanted = (share * total as f64).ceil().max(1.0) as usize;
        let mut seen = 0;
        let found = counts.iter().position(|count| {
            seen += *count as usize;
            seen >= wanted
        });
        found.unwrap_or_default() as f64
    };
    (total > 0).then(|| Quantiles {
        count: total,
        p50: at(0.50),
        p95: at(0.95),
        p99: at(0.99),
    })
}

/// The slope of memory over time (MB an hour) by least squares, without the first quarter, in which pools and caches
/// fill; `None` for less than a minute of it.
fn growth(memory: &[MemorySample]) -> Option<f64> {
    const LEAST_S: f64 = 60.0;
    let end = memory.last()?.at_s;
    let settled: Vec<_> = memory.iter().filter(|sample| sample.at_s >= end / 4.0).collect();
    if end - settled.first()?.at_s < LEAST_S {
        return None;
    }
    let count = settled.len() as f64;
    let mean = |of: fn(&MemorySample) -> f64| settled.iter().map(|sample| of(sample)).sum::<f64>() / count;
    let (at, resident) = (mean(|sample| sample.at_s), mean(|sample| sample.resident_mb));
    let above = |sample: &&MemorySample| (sample.at_s - at) * (sample.resident_mb - resident);
    let square = |sample: &&MemorySample| (sample.at_s - at).powi(2);
    let slope = settled.iter().map(above).sum::<f64>() / settled.iter().map(square).sum::<f64>();
    Some(slope * 3_600.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_shared_among_the_seconds_that_were_streamed() {
        let call = || Made {
            name: Some(Name::Right),
            frames: 500,
            ..Made::default()
        };
        let beside = Beside {
            cpu_seconds: Some(0.6),
            ..Beside::default()
        };
        let step = LoadStep::of(2, 0, vec![(call(), 5.0), (call(), 7.0)], beside);
        assert_eq!((step.call_seconds, step.speech_seconds), (20.0, 12.0));
        assert_eq!(step.cpu_ms_per_call_second, Some(30.0));
        assert_eq!(step.cpu_ms_per_speech_second, Some(50.0));
    }

    #[test]
    fn the_unheard_count_as_refused_and_the_cut_off_as_failed() {
        let refused = Made {
            refused: true,
            ..Made::default()
        };
        let unheard = Made {
            name: Some(Name::Unavailable),
            ..Made::default()
        };
        let cut = Made {
            fault: Some("cut".to_owned()),
            ..Made::default()
        };
        let all = [refused, unheard, cut].map(|made| (made, 0.0));
        let step = LoadStep::of(3, 0, all.into(), Beside::default());
        assert_eq!((step.refused, step.failed, step.names.unavailable), (2, 1, 1));
        assert_eq!(step.first_failure.as_deref(), Some("cut"));
    }

    #[test]
    fn counted_values_have_the_quantiles_of_the_values() {
        let mut counts = vec![0; 11];
        (counts[0], counts[3], counts[10]) = (90, 8, 2);
        let found = of_counts(&counts).unwrap();
        assert_eq!((found.p50, found.p95, found.p99), (0.0, 3.0, 10.0));
        assert_eq!(of_counts(&[0, 0]), None);
    }

    #[test]
    fn memory_that_only_fills_at_the_beginning_does_not_grow() {
        let at = |second: usize, resident_mb: f64| MemorySample {
            at_s: second as f64,
            resident_mb,
        };
        let flat: Vec<_> = (0..100)
            .map(|nth| at(10 * nth, if nth < 20 { 10.0 * nth as f64 } else { 200.0 }))
            .collect();
        assert!(growth(&flat).unwrap().abs() < 1e-9);
        let leaking: Vec<_> = (0..100).map(|nth| at(10 * nth, 100.0 + nth as f64)).collect();
        assert!((growth(&leaking).unwrap() - 360.0).abs() < 1e-6);
        assert_eq!(growth(&leaking[..5]), None);
    }
}
