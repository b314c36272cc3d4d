//! Waiting for an answer, on a thread that has nothing else to do.

use std::{
    sync::Arc,
    task::{Context, Poll, Wake},
    thread::{self, Thread},
};

use crate::engine::Answer;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(super) fn wait<T: Send + 'static>(answer: Answer<T>) -> T {
    let mut future = match answer {
        Answer::Now(answer) => return answer,
        Answer::Later(future) => future,
    };
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}
