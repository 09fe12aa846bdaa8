//! Consent on a call: asked for in fixed words, answered by the caller, and taken from what was transcribed.
//!
//! The model is no witness: what it passes to a tool is not what the caller said. So the caller's words are those
//! of Vapi's transcript after the assistant was heard to put the question, and they count only when they agree and
//! nothing in them refuses.

use std::collections::VecDeque;

use super::message::{Role, Utterance};
use super::redaction::without_keypad;

/// The words that are agreed to, where `vapi.consent_question` has no others. They are kept with the caller's answer as the
/// consent of the enrolment.
pub const QUESTION: &str = "Do you agree that a voiceprint of you is made from this call and kept, so that you are \
                            recognised by your voice when you call again? You can have it deleted at any time.";

/// Words that refuse, in any answer; also as some transcripts write them, without the apostrophe.
const REFUSING: &[&str] = &[
    "no",
    "not",
    "dont",
    "never",
    "nope",
    "nah",
    "neither",
    "refuse",
    "disagree",
    "stop",
    "cannot",
    "cant",
    "wont",
    "wouldnt",
    "isnt",
    "didnt",
    "doesnt",
    "couldnt",
    "shouldnt",
    "havent",
    "hasnt",
    "arent",
    "aint",
    "wasnt",
    "decline",
    "reject",
    "cancel",
    "wait",
    "later",
    "unless",
    "without",
    "rather",
    // As the question may be put in another language.
    "nein",
    "nicht",
    "kein",
    "keine",
    "nie",
    "non",
    "pas",
    "jamais",
    "nunca",
    "tampoco",
    "nahi",
    "nahin",
    "नहीं",
    "मत",
];

/// Share of the question's words that are heard of the assistant, in their order, once it has put it: it is spoken, and written
/// down again.
const PUT: f64 = 0.8;
/// Words of the assistant that are remembered: the question comes in pieces, with something said around it.
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
    /// The caller agreed, and may take it back until they are enrolled.
    Given {
        /// What was agreed to, and in which words.
        words: String,
        /// What was said since, and is said now.
        asking: Asking,
    },
    /// They were enrolled.
    Done,
}

/// What was said since the assistant was told to put the question, by each of Vapi's two ways to tell it: either may lack what
/// one of the two said.
#[derive(Clone)]
pub struct Asking {
    /// The words of the question's first sentence.
    question: Vec<String>,
    /// How much of the conversation was known by then.
    after: usize,
    transcripts: Answer,
    conversation: Answer,
}

/// What the caller said after they heard the question. What they say before it is no answer, but a refusal may come to us before the
/// question does.
#[derive(Clone, Default)]
struct Answer {
    asked: VecDeque<String>,
    is_put: bool,
    has_refused: bool,
    said: VecDeque<String>,
}

impl Consent {
    /// Who hears what is said, from the question to the enrolment.
    pub fn asking(&mut self) -> Option<&mut Asking> {
        match self {
            Self::Asked(asking) | Self::Given { asking, .. } => Some(asking),
            Self::NotAsked | Self::Done => None,
        }
    }
}

impl Asking {
    /// The assistant is told to put `question`, when so much of the conversation is known.
    pub fn begin(question: &str, after: usize) -> Self {
        let sentence = question.split_inclusive('?').next().unwrap_or(question);
        Self {
            question: words(sentence),
            after,
            transcripts: Answer::default(),
            conversation: Answer::default(),
        }
    }

    /// Takes the transcript of what was said next.
    pub fn hear(&mut self, said: &Utterance) {
        self.transcripts.hear(said, &self.question);
    }

    /// Takes a conversation that is told whole each time, after its first `earlier` utterances: what the assistant says grows
    /// while it speaks.
    pub fn hear_again(&mut self, conversation: &[Utterance], earlier: usize) {
        let mut heard = Answer {
            has_refused: self.conversation.has_refused,
            ..Answer::default()
        };
        // Where its beginning is not told any more, all that is told is later.
        for said in conversation.iter().skip(self.after.saturating_sub(earlier)) {
            heard.hear(said, &self.question);
        }
        self.conversation = heard;
    }

    /// What the caller said after the question was put.
    pub fn answer(&self, agreeing: &[String]) -> String {
        let agrees = read(&self.transcripts.text(), agreeing) == Reply::Yes;
        let heard = if agrees {
            &self.transcripts
        } else {
            &self.conversation
        };
        heard.text()
    }

    /// What that means; [`Reply::Unclear`] before the question was put.
    pub fn reply(&self, agreeing: &[String]) -> Reply {
        if self.transcripts.has_refused || self.conversation.has_refused {
            return Reply::No;
        }
        read(&self.answer(agreeing), agreeing)
    }
}

impl Answer {
    fn hear(&mut self, said: &Utterance, question: &[String]) {
        match said.role {
            Role::Assistant if !self.is_put => {
                self.asked.extend(words(&said.text));
                let heard = in_order(&self.asked, question);
                self.is_put = heard as f64 >= PUT * question.len() as f64;
                self.asked.drain(..self.asked.len().saturating_sub(MOST_ASKED));
            }
            Role::User => {
                self.has_refused |= refuses(&words(&said.text));
                // Who asks back has not answered.
                if self.is_put && !said.text.trim_end().ends_with('?') {
                    self.said.push_back(without_keypad(&said.text));
                    self.said.drain(..self.said.len().saturating_sub(MOST_ANSWERED));
                }
            }
            Role::Assistant | Role::Other => {}
        }
    }

    fn text(&self) -> String {
        let said: Vec<&str> = self.said.iter().map(String::as_str).collect();
        said.join(" ")
    }
}

/// How many of `wanted` were heard in their order, whatever was said between: the longest common subsequence.
fn in_order(heard: &VecDeque<String>, wanted: &[String]) -> usize {
    let mut longest = vec![0; wanted.len() + 1];
    for word in heard {
        let mut without = 0;
        for (at, want) in wanted.iter().enumerate() {
            let above = longest[at + 1];
            longest[at + 1] = if word == want {
                without + 1
            } else {
                above.max(longest[at])
            };
            without = above;
        }
    }
    longest[wanted.len()]
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

/// Reads an answer to the question: one of `agreeing` and no word that refuses.
fn read(answer: &str, agreeing: &[String]) -> Reply {
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
            ("I didnt say yes", Reply::No),
            ("that doesnt sound ok", Reply::No),
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
        let agreeing = ["yes".to_owned()];
        let [mut transcribed, mut told_whole, mut told_late] =
            [0; 3].map(|after| Asking::begin(QUESTION, after));
        for said in said {
            transcribed.hear(said);
        }
        for up_to in [said.len() / 2, said.len()] {
            told_whole.hear_again(&said[..up_to], 0);
        }
        // The beginning is not told any more.
        told_late.hear_again(said, 80);
        let reply = transcribed.reply(&agreeing);
        for other in [told_whole, told_late] {
            assert_eq!(other.reply(&agreeing), reply);
        }
        reply
    }

    #[test]
    fn what_was_said_before_the_question_is_no_consent() {
        let (yes, question) = (said(Role::User, "Yes, please."), said(Role::Assistant, QUESTION));
        assert_eq!(reply(&[yes.clone(), question.clone()]), Reply::Unclear);
        assert_eq!(reply(&[yes.clone(), yes.clone()]), Reply::Unclear);
        assert_eq!(reply(&[question.clone(), yes.clone()]), Reply::Yes);
        let back = said(Role::User, "Yes? Why?");
        assert_eq!(reply(&[question, back]), Reply::Unclear);
        for paraphrase in [
            "Okay! So that you are recognised by your voice when you call again, a profile is made from this call. \
             Do you agree to that?",
            "Do you agree that I set things up from this call, so that you are known by your voice when you call again? \
             It is made of a short bit of speech and takes a moment.",
        ] {
            assert_eq!(
                reply(&[said(Role::Assistant, paraphrase), yes.clone()]),
                Reply::Unclear
            );
        }
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
        let more = format!("{QUESTION} {}", "and so on ".repeat(60));
        let at_length = [said(Role::Assistant, &more), said(Role::User, "yes")];
        assert_eq!(reply(&at_length), Reply::Yes);
        let another = [said(Role::Assistant, "Do you agree?"), said(Role::User, "yes")];
        assert_eq!(reply(&another), Reply::Unclear);
    }

    #[test]
    fn a_refusal_is_not_talked_over() {
        let mut heard = vec![said(Role::Assistant, QUESTION), said(Role::User, "no")];
        heard.extend(vec![said(Role::User, "hm"); 2 * MOST_ANSWERED]);
        heard.push(said(Role::User, "yes"));
        assert_eq!(reply(&heard), Reply::No);
        // It may come to us before the question.
        let question = said(Role::Assistant, QUESTION);
        let early = [said(Role::User, "No!"), question, said(Role::User, "yes")];
        assert_eq!(reply(&early), Reply::No);
    }

    #[test]
    fn what_one_way_leaves_out_the_other_tells() {
        let (question, yes) = (said(Role::Assistant, QUESTION), said(Role::User, "yes"));
        let mut asking = Asking::begin(QUESTION, 0);
        asking.hear(&yes);
        asking.hear_again(&[question.clone(), yes.clone()], 0);
        assert_eq!(asking.reply(&["yes".to_owned()]), Reply::Yes);
        asking.hear(&said(Role::User, "no"));
        assert_eq!(asking.reply(&["yes".to_owned()]), Reply::No);
    }

    #[test]
    fn a_question_in_another_language_is_heard_as_such() {
        let german = "Sind Sie einverstanden, dass aus diesem Anruf ein Stimmabdruck von Ihnen erstellt und behalten wird?";
        let mut asking = Asking::begin(german, 0);
        asking.hear(&said(Role::Assistant, german));
        asking.hear(&said(Role::User, "Ja, gern."));
        assert_eq!(asking.reply(&["ja".to_owned()]), Reply::Yes);
        asking.hear(&said(Role::User, "Nein, doch nicht."));
        assert_eq!(asking.reply(&["ja".to_owned()]), Reply::No);
    }
}
