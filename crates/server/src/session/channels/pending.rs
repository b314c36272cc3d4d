//! Calls that are answered later, as they wait for an authority or an engine.
//!
//! What a call changes in an order that others rely on, it changes before it is put off; only its answer waits, so that
//! answers may come in another order than the calls (JSON-RPC 2.0 §5: the `id` tells them apart). A batch is answered at once,
//! when all of its calls are (§6). There is an end to what a call waits for: whoever makes one sees to that.
//!
//! INVARIANT: no answer tells of a channel what the socket may not be told when it leaves, however long it has waited.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use serde_json::value::RawValue;
use wardwire_hub::rights::Action;
use wardwire_protocol::{
    channel::ChannelName,
    close::Close,
    rpc::{self, RpcError},
};

use super::Channels;
use crate::session::Scope;

/// What a call waits for, and what is done then.
pub(super) type Later = Pin<Box<dyn Future<Output = Finish> + Send>>;

/// The rest of a call, in a turn of its socket.
pub(super) type Finish = Box<dyn FnOnce(&mut Channels, &mut Scope<'_>) -> Conclusion + Send>;

/// What a call came to in the end.
pub(super) enum Conclusion {
    /// Its result.
    Result(Box<RawValue>),
    /// It failed, and was [written down](Channels::note).
    Error(RpcError),
    /// It waits for something else now, in the same place.
    Later(Later),
    /// It ends the socket.
    Close(Close),
}

/// The calls of one socket that wait.
#[derive(Default)]
pub(super) struct Pending {
    calls: Vec<Waiting>,
    batches: Vec<Batch>,
    /// Batches so far.
    numbers: u32,
}

/// The most calls of a socket that wait at once.
const PENDING: usize = 32;

struct Waiting {
    place: Place,
    future: Later,
}

/// Where an answer goes, and to which method.
pub(super) struct Place {
    pub(super) method: &'static str,
    pub(super) id: Box<RawValue>,
    /// The number of the batch whose call it is.
    pub(super) batch: Option<u32>,
    /// By which right it tells of which channel.
    pub(super) reads: Option<(Action, ChannelName)>,
}

impl Place {
    fn is_lost(&self, may: impl Fn(Action, &ChannelName) -> bool) -> bool {
        let reads = self.reads.as_ref();
        reads.is_some_and(|(action, channel)| !may(*action, channel))
    }

    /// The answer without a right, which is no fault of the call's.
    fn forbidden(&self) -> String {
        rpc::error(Some(&self.id), &RpcError::FORBIDDEN)
    }
}

/// An answer.
pub(super) struct Answered {
    pub(super) text: String,
    /// Where it waits for others. None of one that tells nothing.
    pub(super) place: Option<Place>,
}

impl From<String> for Answered {
    fn from(text: String) -> Self {
        Self { text, place: None }
    }
}

/// What of a batch is answered, while some of it is not.
struct Batch {
    number: u32,
    answers: Vec<Answered>,
    /// Calls without an answer.
    open: usize,
}

impl Pending {
    /// Whether no further call may wait.
    pub(super) fn is_full(&self) -> bool {
        self.calls.len() >= PENDING
    }

    /// Whether a call of this method waits.
    pub(super) fn has(&self, method: &str) -> bool {
        self.calls.iter().any(|call| call.place.method == method)
    }

    /// Bytes of answers kept for batches that are not whole.
    pub(super) fn held(&self) -> usize {
        let answers = self.batches.iter().flat_map(|batch| &batch.answers);
        answers.map(|it| it.text.len()).sum()
    }

    /// A number for a batch that comes.
    pub(super) fn number(&mut self) -> u32 {
        self.numbers = self.numbers.wrapping_add(1);
        self.numbers
    }

    /// Puts a call off, or has one that was ready wait once more.
    pub(super) fn put_off(&mut self, place: Place, future: Later) {
        self.calls.push(Waiting { place, future });
    }

    /// Takes the answers that a batch has at once. Returns its message, if no call of it waits and anything is answered.
    pub(super) fn begin(&mut self, number: u32, answers: Vec<Answered>) -> Option<String> {
        let of_batch = |call: &&Waiting| call.place.batch == Some(number);
        let open = self.calls.iter().filter(of_batch).count();
        if open == 0 {
            return (!answers.is_empty()).then(|| whole(answers));
        }
        self.batches.push(Batch {
            number,
            answers,
            open,
        });
        None
    }

    /// The calls that need wait no longer, which are no more among those that do.
    pub(super) fn ready(&mut self, cx: &mut Context<'_>) -> Vec<(Place, Finish)> {
        let mut ready = Vec::new();
        let waiting = std::mem::take(&mut self.calls);
        for mut call in waiting {
            match call.future.as_mut().poll(cx) {
                Poll::Ready(finish) => ready.push((call.place, finish)),
                Poll::Pending => self.calls.push(call),
            }
        }
        ready
    }

    /// Takes an answer, by what the socket may do now. Returns the message to send, unless it is one of a batch of which others
    /// are still to come.
    pub(super) fn settle(
        &mut self,
        place: Place,
        answer: String,
        may: impl Fn(Action, &ChannelName) -> bool,
    ) -> Option<String> {
        let text = match place.is_lost(may) {
            true => place.forbidden(),
            false => answer,
        };
        let Some(number) = place.batch else {
            return Some(text);
        };
        let at = self.batches.iter().position(|it| it.number == number)?;
        let batch = self.batches.get_mut(at)?;
        let place = Some(place);
        batch.answers.push(Answered { text, place });
        batch.open = batch.open.saturating_sub(1);
        if batch.open > 0 {
            return None;
        }
        let batch = self.batches.swap_remove(at);
        Some(whole(batch.answers))
    }

    /// Takes back what waits to be told and may be told no longer.
    pub(super) fn retract(&mut self, may: impl Fn(Action, &ChannelName) -> bool) {
        for answer in self.batches.iter_mut().flat_map(|it| &mut it.answers) {
            if let Some(place) = answer.place.take_if(|it| it.is_lost(&may)) {
                answer.text = place.forbidden();
            }
        }
    }
}

fn whole(answers: Vec<Answered>) -> String {
    let texts: Vec<String> = answers.into_iter().map(|it| it.text).collect();
    rpc::batch(&texts)
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::sync::oneshot;

    use super::*;

    struct Call(oneshot::Sender<()>);

    impl Call {
        fn new(pending: &mut Pending, id: &str, batch: Option<u32>) -> Self {
            let (done, doing) = oneshot::channel();
            let place = Place {
                method: "refresh",
                id: serde_json::from_str(id).unwrap(),
                batch,
                reads: None,
            };
            pending.put_off(
                place,
                Box::pin(async move {
                    let _ = doing.await;
                    let finish: Finish = Box::new(|_, _| Conclusion::Error(RpcError::TOKEN));
                    finish
                }),
            );
            Self(done)
        }

        fn ends(self) {
            self.0.send(()).unwrap();
        }
    }

    /// What is sent now, if each answer is the id of its call.
    fn turn(pending: &mut Pending) -> Vec<String> {
        let ready = pending.ready(&mut Context::from_waker(Waker::noop()));
        let answered = |(place, _): (Place, Finish)| {
            let id = place.id.get().to_owned();
            pending.settle(place, id, |_, _| true)
        };
        ready.into_iter().filter_map(answered).collect()
    }

    /// To a call that reads this channel.
    fn reading(id: &str, batch: Option<u32>, channel: &str) -> Place {
        Place {
            method: "history",
            id: serde_json::from_str(id).unwrap(),
            batch,
            reads: Some((Action::History, ChannelName::parse(channel).unwrap())),
        }
    }

    fn answered(id: &str, channel: &str) -> Answered {
        Answered {
            text: format!("\"{channel}\""),
            place: Some(reading(id, None, channel)),
        }
    }

    fn forbidden(id: &str) -> String {
        rpc::error(serde_json::from_str(id).ok(), &RpcError::FORBIDDEN)
    }

    #[test]
    fn what_may_be_told_no_longer_when_it_is_answered_is_not() {
        let mut pending = Pending::default();
        let mut answer = |channel: &str| {
            let only_a = |action, name: &ChannelName| {
                assert_eq!(action, Action::History);
                name.as_str() == "a"
            };
            pending.settle(reading("7", None, channel), "data".to_owned(), only_a)
        };
        assert_eq!(answer("a").as_deref(), Some("data"));
        assert_eq!(answer("b"), Some(forbidden("7")));
    }

    #[test]
    fn what_waits_with_its_batch_is_taken_back_with_its_right() {
        let mut pending = Pending::default();
        let number = pending.number();
        let [one, two] = ["1", "2"].map(|id| Call::new(&mut pending, id, Some(number)));
        let answers = vec![
            answered("3", "a"),
            answered("4", "b"),
            "0".to_owned().into(),
        ];
        assert_eq!(pending.begin(number, answers), None);
        pending.retract(|_, name| name.as_str() == "a");
        // What was lost once is not told as it comes back.
        pending.retract(|_, name| name.as_str() == "b");
        one.ends();
        two.ends();
        let lost = [forbidden("3"), forbidden("4")].join(",");
        assert_eq!(turn(&mut pending), [format!("[{lost},0,1,2]")]);
    }

    #[test]
    fn single_calls_are_answered_as_they_end() {
        let mut pending = Pending::default();
        let [one, two, three] = ["1", "2", "3"].map(|id| Call::new(&mut pending, id, None));
        assert!(turn(&mut pending).is_empty());
        three.ends();
        assert_eq!(turn(&mut pending), ["3"]);
        one.ends();
        two.ends();
        assert_eq!(turn(&mut pending), ["1", "2"]);
        assert!(turn(&mut pending).is_empty());
        assert!(!pending.has("refresh"));
    }

    #[test]
    fn a_batch_is_answered_when_all_of_its_calls_are() {
        let mut pending = Pending::default();
        let first = pending.number();
        let [one, two] = ["1", "2"].map(|id| Call::new(&mut pending, id, Some(first)));
        assert_eq!(pending.begin(first, vec!["0".to_owned().into()]), None);
        let second = pending.number();
        let three = Call::new(&mut pending, "3", Some(second));
        assert_eq!(pending.begin(second, Vec::new()), None);
        two.ends();
        assert!(turn(&mut pending).is_empty());
        assert_eq!(pending.held(), 2, "what of it is answered is kept");
        three.ends();
        assert_eq!(turn(&mut pending), ["[3]"]);
        one.ends();
        assert_eq!(turn(&mut pending), ["[0,2,1]"]);
        assert_eq!(pending.held(), 0);
    }

    #[test]
    fn both_calls_of_a_batch_may_end_in_one_turn() {
        let mut pending = Pending::default();
        let number = pending.number();
        let calls = ["1", "2"].map(|id| Call::new(&mut pending, id, Some(number)));
        pending.begin(number, Vec::new());
        calls.into_iter().for_each(Call::ends);
        assert_eq!(turn(&mut pending), ["[1,2]"]);
    }

    #[test]
    fn a_batch_of_which_nothing_waits_is_answered_at_once_and_an_empty_one_never() {
        let mut pending = Pending::default();
        let number = pending.number();
        let answers = ["1", "2"].map(|it| it.to_owned().into());
        let answers = answers.into_iter().collect();
        assert_eq!(pending.begin(number, answers).as_deref(), Some("[1,2]"));
        let number = pending.number();
        assert_eq!(pending.begin(number, Vec::new()), None);
        assert!(pending.batches.is_empty());
    }

    #[test]
    fn so_many_calls_wait_and_no_more() {
        let mut pending = Pending::default();
        let mut calls = Vec::new();
        while !pending.is_full() {
            calls.push(Call::new(&mut pending, "1", None));
        }
        assert_eq!(calls.len(), PENDING);
        calls.pop().unwrap().ends();
        assert_eq!(turn(&mut pending), ["1"]);
        assert!(!pending.is_full());
    }
}
