//! Changing the model: kept recordings are heard again by the new one, and only then does it serve.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::bytes::Limits;
use crate::engine::{Asker, Engine, Permit};
use crate::store::{Store, UnheardClip, UnheardUser};
use crate::units::{DialedNumber, UserId};
use crate::voiceprint::{ModelId, Voiceprint};

use super::error::{BoardError, OpenError};
use super::installed::{installed, usable_calibration};
use super::recording::hear_in_turns;
use super::settings::BoardSettings;

/// How often clips that came in meanwhile are heard before the switch is put off.
const ROUNDS: u32 = 5;

/// Somebody the new model cannot know until they enrol again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftBehind {
    /// Id of the user.
    pub user_id: UserId,
    /// The name to show.
    pub name: String,
    /// The dialed numbers they are on, in order.
    pub numbers: Vec<DialedNumber>,
    /// Why they could not be carried over, in words.
    pub reason: String,
}

/// What a change of model came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwitchReport {
    /// The model before.
    pub from: ModelId,
    /// The model asked for.
    pub to: ModelId,
    /// Whether it is in use now. If not, the old one is, and what was heard again is kept for the next time.
    pub switched: bool,
    /// Recordings that were heard again just now.
    pub recordings_heard: u64,
    /// Those who must enrol again before the new model knows them.
    pub must_reenroll: Vec<LeftBehind>,
    /// The new model's calibration.
    pub calibration: String,
}

/// Changes the model of `store` to `to`. Every clip the new model has not heard is heard again from its kept
/// recording; the old model stays in use until that is done, and for good if somebody would be left behind,
/// unless `leave_behind`. Cut short at any moment, nothing has changed, and the next call goes on.
///
/// `tell` is given how many recordings are done, of how many.
///
/// # Errors
/// [`OpenError`] when the model is not installed, not what its card says, or has no calibration: it could
/// never name anybody.
pub async fn switch_model(
    settings: &BoardSettings,
    store: &Store,
    to: &ModelId,
    leave_behind: bool,
    tell: &mut (dyn FnMut(usize, usize) + Send),
) -> Result<SwitchReport, OpenError> {
    let found = installed(settings)?;
    let card = found.card(to)?;
    let calibration = usable_calibration(&card, &settings.policy)?.calibration;
    let models = found.models(&card)?;
    let from = store
        .hold_model()
        .await?
        .unwrap_or_else(|| settings.model.clone());
    store.pin_model(to, card.sha256(), card.identity()).await?;
    let engine = Engine::start(&models, 1, 1)?;
    let mut round = Round {
        limits: settings.limits,
        store,
        engine,
        heard: 0,
        settled: HashMap::new(),
    };
    let mut report = SwitchReport {
        from,
        to: to.clone(),
        switched: false,
        recordings_heard: 0,
        must_reenroll: Vec::new(),
        calibration: calibration.id,
    };
    for _ in 0..ROUNDS {
        round.hear_all(to, tell).await?;
        report.recordings_heard = round.heard;
        report.must_reenroll = round.left_behind(to).await?;
        if !report.must_reenroll.is_empty() && !leave_behind {
            return Ok(report);
        }
        let settled: HashSet<String> = round.settled.keys().cloned().collect();
        if store.switch_model(to, &settled).await? {
            report.switched = true;
            return Ok(report);
        }
    }
    Ok(report)
}

/// Hearing again, as far as it has come.
struct Round<'a> {
    limits: Limits,
    store: &'a Store,
    engine: Engine,
    heard: u64,
    /// Clips the new model cannot hear, and why.
    settled: HashMap<String, (UserId, String)>,
}

impl Round<'_> {
    /// Hears every clip that the new model has not heard and that is not settled.
    async fn hear_all(
        &mut self,
        to: &ModelId,
        tell: &mut (dyn FnMut(usize, usize) + Send),
    ) -> Result<(), OpenError> {
        let mut clips = self.store.unheard_clips(to).await?;
        clips.retain(|clip| !self.settled.contains_key(&clip.clip));
        let total = clips.iter().filter(|clip| clip.kept).count();
        let mut done = 0;
        tell(done, total);
        for clip in clips {
            let heard = if clip.kept {
                self.hear(&clip).await
            } else {
                Err("no recording of theirs was kept".to_owned())
            };
            match heard {
                Ok(prints) => {
                    self.heard += u64::from(self.store.add_prints(&clip.clip, &prints).await?);
                }
                Err(why) => {
                    self.settled.insert(clip.clip, (clip.user, why));
                }
            }
            if clip.kept {
                done += 1;
                tell(done, total);
            }
        }
        Ok(())
    }

    /// The voiceprints of a kept recording by the new model, or why there are none.
    async fn hear(&self, clip: &UnheardClip) -> Result<Vec<Voiceprint>, String> {
        let kept = self.store.recording(&clip.clip).await;
        let Some(kept) = kept.map_err(|fault| fault.to_string())? else {
            return Err("the recording is gone".to_owned());
        };
        let admitted: Permit = self
            .engine
            .admit(Asker::recording(None))
            .map_err(|busy| busy.to_string())?;
        let bytes = kept.bytes.to_vec();
        let heard = hear_in_turns(
            &self.engine,
            &self.limits,
            &admitted,
            "the kept recording",
            bytes,
            kept.channel,
            &[],
        );
        let mut heard = heard.await.map_err(|fault: BoardError| fault.to_string())?;
        let print = heard.checkpoints.pop().and_then(|checkpoint| checkpoint.print);
        let print = print.ok_or("their kept recording has too little speech for this model")?;
        Ok(vec![print])
    }

    async fn left_behind(&self, to: &ModelId) -> Result<Vec<LeftBehind>, OpenError> {
        let users = self.store.unheard_users(to).await?;
        Ok(with_reasons(users, &self.settled))
    }
}

/// Users with why nothing of theirs was heard: of one clip, where there are several.
fn with_reasons(users: Vec<UnheardUser>, settled: &HashMap<String, (UserId, String)>) -> Vec<LeftBehind> {
    let reasons: HashMap<UserId, &str> = settled.values().map(|(of, why)| (*of, why.as_str())).collect();
    let with_reason = |user: UnheardUser| LeftBehind {
        reason: reasons
            .get(&user.user)
            .copied()
            .unwrap_or("nothing of theirs was heard")
            .to_owned(),
        user_id: user.user,
        name: user.name,
        numbers: user.numbers,
    };
    users.into_iter().map(with_reason).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With every user looked for among all clips this would take minutes.
    #[test]
    fn each_of_many_who_are_left_behind_has_a_reason_of_their_own() {
        let user = |_| UnheardUser {
            user: UserId::fresh(),
            name: String::new(),
            numbers: Vec::new(),
        };
        let users: Vec<UnheardUser> = (0..50_000).map(user).collect();
        let clip = |user: &UnheardUser| (UserId::fresh().to_string(), (user.user, user.user.to_string()));
        let settled = users.iter().skip(1).map(clip).collect();
        let told = with_reasons(users, &settled);
        assert_eq!(told[0].reason, "nothing of theirs was heard");
        assert!(told[1..].iter().all(|one| one.reason == one.user_id.to_string()));
    }
}
