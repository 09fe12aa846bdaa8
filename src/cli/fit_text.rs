//! A fit in words: how well it does, by condition, and what became of its test of two voices.

use std::fmt::Write as _;

use crate::measure::{Checked, Fit, Fitted};

/// A table of figures, a line a condition, and whether the calibration fits these calls.
pub(super) fn text(checked: &Checked) -> String {
    let mut said = format!(
        "{:<24}{:>8}{:>8}{:>8}{:>9}{:>9}{:>9}",
        "calls", "Cllr", "least", "loss", "act DCF", "min DCF", "EER"
    );
    let mut line = |name: &str, fit: &Fit| {
        let _ = write!(
            said,
            "\n{name:<24}{:>8.3}{:>8.3}{:>8.3}{:>9.3}{:>9.3}{:>8.2}%",
            fit.cllr,
            fit.min_cllr,
            fit.loss,
            fit.act_dcf,
            fit.min_dcf,
            100.0 * fit.eer
        );
    };
    for (condition, fits) in &checked.by_condition {
        line(condition, fits);
    }
    if let (Some(one), Some(two)) = (checked.voices_false_alarm, checked.voices_miss) {
        let _ = write!(
            said,
            "\nsingle voices taken for several: {:.1} %; two voices in turn taken for one: {:.1} %",
            100.0 * one,
            100.0 * two
        );
    }
    let word = if checked.fits {
        "fits"
    } else {
        "does not fit: fit it again for these calls"
    };
    let _ = write!(said, "\n{} of {} {word}", checked.calibration, checked.model);
    said
}

/// The same of a fit, on what it was fitted on.
pub(super) fn fitted_text(fitted: &Fitted) -> String {
    match &fitted.figures {
        Some(checked) => format!(
            "on the trials of {} that it was fitted on, and so too good:\n{}",
            checked.protocol,
            text(checked)
        ),
        None => "how well it fits is not said: no protocol has calls both of users and of others among those it was fitted on"
            .to_owned(),
    }
}

/// What is to be said of the two-voices test where it is not one of these calls.
pub(super) fn voices_text(fitted: &Fitted) -> String {
    if let Some(refused) = &fitted.voices_refused {
        let but_for = refused.recording.as_ref().map_or_else(String::new, |recording| {
            format!(". It would not without {recording}: are there two voices in it?")
        });
        return format!(
            "\nwhen speech is of two voices is as in the calibration in use: fitted on these calls, it would take {:.0} % of two \
             voices in turn for one, where that in use takes {:.0} %{but_for}",
            100.0 * refused.miss,
            100.0 * refused.miss_in_use
        );
    }
    match (fitted.voices_fitted, fitted.calibration.voices) {
        (true, _) => "",
        (_, Some(_)) => {
            "\ntoo few calls are long enough to fit when speech is of two voices: that is as in the calibration in use"
        }
        (_, None) => {
            "\ntoo few calls are long enough to fit when speech is of two voices: it does not tell, and a name stands long \
             after the phone was handed on"
        }
    }
    .to_owned()
}
