//! What is there already, or comes later.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// An answer that may take its time. An engine that knows it at once makes no future for it.
pub enum Answer<T> {
    /// Here it is.
    Now(T),
    /// It comes.
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T: Send + 'static> Answer<T> {
    /// An answer that comes.
    pub fn later(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Later(Box::pin(future))
    }

    /// What comes of a future: at once, if it waits for nothing.
    pub fn of(future: impl Future<Output = T> + Send + Unpin + 'static) -> Self {
        let mut future = future;
        // Whoever waits for it later asks again at once.
        match Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Self::Now(answer),
            Poll::Pending => Self::later(future),
        }
    }

    /// Another answer made of it when it is there.
    pub fn map<U>(self, make: impl FnOnce(T) -> U + Send + 'static) -> Answer<U> {
        match self {
            Self::Now(answer) => Answer::Now(make(answer)),
            Self::Later(future) => Answer::Later(Box::pin(async move { make(future.await) })),
        }
    }

    /// Whether it is there. Not asked again once it was taken.
    pub fn poll(self, cx: &mut Context<'_>) -> Result<T, Self> {
        match self {
            Self::Now(answer) => Ok(answer),
            Self::Later(mut future) => match future.as_mut().poll(cx) {
                Poll::Ready(answer) => Ok(answer),
                Poll::Pending => Err(Self::Later(future)),
            },
        }
    }

    /// What comes of it, when it is there.
    pub async fn wait(self) -> T {
        match self {
            Self::Now(answer) => answer,
            Self::Later(future) => future.await,
        }
    }

    /// What is there already.
    pub fn now(self) -> Option<T> {
        match self {
            Self::Now(answer) => Some(answer),
            Self::Later(_) => None,
        }
    }
}
