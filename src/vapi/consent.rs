//! Consent on a call: asked for in fixed words, answered by the caller, and taken from what was transcribed.
//!
//! The model is no witness: what it passes to a tool is not what the caller said. So the caller's words are those
//! of Vapi's transcript after the assistant was heard to put the question, and they count only when they agree and
//! nothing in them refuses.

use std::collections::{BTreeSet, VecDeque};

use super::message::{Role, Utterance};
use super::redaction::without_keypad;

/// The words that are agreed to. They are kept with the caller's answer as the consent of the enrolment.
pub const QUESTION: &str = "Do you agree that a voiceprint of you is made from this call and kept, so that you are \
                            recognised by your voice when you call again? You can have it deleted at any time.";

/// Words that refuse, in any answer. Transcripts leave apostrophes out.
const REFUSING: &[&str] = &[
    "no", "not", "don't", "dont", "never", "nope", "nah", "neither", "refuse", "disagree", "stop", "cannot",
    "cant", "wont", "wouldnt", "isnt", "decline", "reject", "cancel", "wait", "without", "rather",
];

/// Share of the question's words that were heard of the assistant once it was put: it is spoken, and written down again.
const PUT: f64 = 0.8;
/// Words of the assistant that are remembered, which is the question with what is said around it.
const MOST_ASKED: usize = 120;
/// Utterances of the caller's answer that are kept.
const MOST_ANSWERED: usize = 16;

/// How far an enrolment on a call has come.
#[derive(Clone, Default)]
pub enum Consent {
    /// Nobody was asked.
    #[default]
    NotAsked,
    /// The assistant was told to put the question.
    Asked(Asking),
    /// The caller agreed in these words.
    Given(String),
    /// They were enrolled.
    Done,
}

/// What was said since the assistant was told to put the question. What the caller says before they have heard it is no
/// answer, whichever comes to us first.
#[derive(Clone, Default)]
pub struct Asking {
    /// How much of the conversation was known by then.
    after: usize,
    asked: VecDeque<String>,
    is_put: bool,
    has_refused: bool,
    answer: VecDeque<String>,
}

impl Asking {
    /// The assistant is told to ask, when so much of the conversation is known.
    pub fn begin(after: usize) -> Self {
        Self {
            after,
            ..Self::default()
        }
    }

    /// Takes the next thing that was said.
    pub fn hear(&mut self, said: &Utterance) {
        match said.role {
            Role::Assistant => {
                self.asked.extend(words(&said.text));
                self.asked.drain(..self.asked.len().saturating_sub(MOST_ASKED));
                self.is_put |= is_question(&self.asked);
            }
            Role::User if self.is_put => {
                self.has_refused |= refuses(&words(&said.text));
                self.answer.push_back(without_keypad(&said.text));
                self.answer
                    .drain(..self.answer.len().saturating_sub(MOST_ANSWERED));
            }
            Role::User | Role::Other => {}
        }
    }

    /// Takes a conversation that is told whole each time, after its first `earlier` utterances: what the assistant says grows
    /// while it speaks.
    pub fn hear_again(&mut self, conversation: &[Utterance], earlier: usize) {
        let Some(known) = self.after.checked_sub(earlier) else {
            // Its beginning is not told any more.
            return;
        };
        let mut heard = Self::begin(self.after);
        for said in conversation.iter().skip(known) {
            heard.hear(said);
        }
        heard.has_refused |= self.has_refused;
        *self = heard;
    }

    /// What the caller said after the question was put.
    pub fn answer(&self) -> String {
        self.answer
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What that means; [`Reply::Unclear`] before the question was put.
    pub fn reply(&self, agreeing: &[String]) -> Reply {
        if self.has_refused {
            return Reply::No;
        }
        read(&self.answer(), agreeing)
    }
}

/// Whether the assistant has put the question: its first sentence, nearly word for word.
fn is_question(asked: &VecDeque<String>) -> bool {
    let sentence = QUESTION.split_inclusive('?').next().unwrap_or(QUESTION);
    let wanted: BTreeSet<String> = words(sentence).into_iter().collect();
    let heard = wanted.iter().filter(|word| asked.contains(word)).count();
    heard as f64 >= PUT * wanted.len() as f64
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
    let words = words(answer);
    if refuses(&words) {
        Reply::No
    } else if words.iter().any(|word| agreeing.contains(word)) {
        Reply::Yes
    } else {
        Reply::Unclear
    }
}

fn refuses(words: &[String]) -> bool {
    let refuses = |word: &String| REFUSING.contains(&word.as_str()) || word.ends_with("n't");
    words.iter().any(refuses)
}

fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase().replace('’', "'");
    let words = lower.split(|sign: char| !sign.is_alphanumeric() && sign != '\'');
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
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
            ("I cannot agree to that", Reply::No),
            ("I cant agree", Reply::No),
            ("OK, I decline", Reply::No),
            ("ok wait", Reply::No),
            ("what is that", Reply::Unclear),
            ("yesterday", Reply::Unclear),
            ("", Reply::Unclear),
        ] {
            assert_eq!(read(answer, &agreeing), reply, "{answer}");
        }
    }

    fn said(role: Role, text: &str) -> Utterance {
        Utterance {
            role,
            text: text.to_owned(),
        }
    }

    fn reply(said: &[Utterance]) -> Reply {
        let mut asking = Asking::begin(0);
        for said in said {
            asking.hear(said);
        }
        let mut told_whole = Asking::begin(0);
        told_whole.hear_again(&said[..said.len() / 2], 0);
        told_whole.hear_again(said, 0);
        let agreeing = ["yes".to_owned()];
        assert_eq!(asking.reply(&agreeing), told_whole.reply(&agreeing));
        asking.reply(&agreeing)
    }

    #[test]
    fn what_was_said_before_the_question_is_no_consent() {
        let (yes, question) = (said(Role::User, "Yes, please."), said(Role::Assistant, QUESTION));
        assert_eq!(reply(&[yes.clone(), question.clone()]), Reply::Unclear);
        assert_eq!(reply(&[yes.clone(), yes.clone()]), Reply::Unclear);
        assert_eq!(reply(&[question, yes]), Reply::Yes);
    }

    #[test]
    fn a_question_is_put_in_pieces_and_as_it_is_written_down() {
        let heard = [
            said(
                Role::Assistant,
                "One thing first. Do you agree that a voice print of you is made",
            ),
            said(
                Role::Assistant,
                "from this call and kept so that you are recognized by your voice",
            ),
            said(Role::Assistant, "when you call again?"),
            said(Role::User, "yes"),
        ];
        assert_eq!(reply(&heard), Reply::Yes);
        let another = [said(Role::Assistant, "Do you agree?"), said(Role::User, "yes")];
        assert_eq!(reply(&another), Reply::Unclear);
    }

    #[test]
    fn a_refusal_is_not_talked_over() {
        let mut heard = vec![said(Role::Assistant, QUESTION), said(Role::User, "no")];
        heard.extend(vec![said(Role::User, "hm"); 2 * MOST_ANSWERED]);
        heard.push(said(Role::User, "yes"));
        assert_eq!(reply(&heard), Reply::No);
    }
}
