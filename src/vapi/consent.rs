//! Consent on a call: asked for in fixed words, answered by the caller, and taken from what was transcribed.
//!
//! The model is no witness: what it passes to a tool is not what the caller said. So the caller's words are those
//! of Vapi's transcript after the question was put, and they count only when they agree and nothing in them
//! refuses.

/// The words that are agreed to. They are kept with the caller's answer as the consent of the enrolment.
pub const QUESTION: &str = "Do you agree that a voiceprint of you is made from this call and kept, so that you are \
                            recognised by your voice when you call again? You can have it deleted at any time.";

/// Words that refuse, in any answer.
const REFUSING: &[&str] = &[
    "no", "not", "don't", "dont", "never", "nope", "nah", "neither", "refuse", "disagree", "stop",
];

/// How far an enrolment on a call has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Consent {
    /// Nobody was asked.
    #[default]
    NotAsked,
    /// The question was put when so many utterances of the caller were known.
    Asked(u64),
    /// The caller agreed in these words.
    Given(String),
    /// They were enrolled.
    Done,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The caller agrees.
    Yes,
    /// The caller refuses.
    No,
    /// Neither can be read from it.
    Unclear,
}

/// Reads an answer to [`QUESTION`]: one of `agreeing` and no word that refuses.
pub fn read(answer: &str, agreeing: &[String]) -> Reply {
    let lower = answer.to_lowercase().replace('’', "'");
    let words: Vec<&str> = lower
        .split(|sign: char| !sign.is_alphanumeric() && sign != '\'')
        .filter(|word| !word.is_empty())
        .collect();
    if words
        .iter()
        .any(|word| REFUSING.contains(word) || word.ends_with("n't"))
    {
        Reply::No
    } else if words
        .iter()
        .any(|word| agreeing.iter().any(|known| known == word))
    {
        Reply::Yes
    } else {
        Reply::Unclear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_is_one() {
        let agreeing = ["yes", "agree", "ok"].map(str::to_owned);
        for (answer, reply) in [
            ("Yes.", Reply::Yes),
            ("yeah, I agree", Reply::Yes),
            ("OK!", Reply::Yes),
            ("I do not agree", Reply::No),
            ("I don’t agree", Reply::No),
            ("yes, no, wait", Reply::No),
            ("I wouldn't say ok", Reply::No),
            ("what is that", Reply::Unclear),
            ("yesterday", Reply::Unclear),
            ("", Reply::Unclear),
        ] {
            assert_eq!(read(answer, &agreeing), reply, "{answer}");
        }
    }
}
