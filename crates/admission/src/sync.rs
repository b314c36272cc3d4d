//! The locks where threads meet, exchanged for loom's when that tries every interleaving.

use std::sync::Arc;

#[cfg(not(feature = "loom"))]
pub(crate) use parking_lot::{Mutex, RwLock};
#[cfg(not(feature = "loom"))]
pub(crate) use std::sync::atomic::AtomicU64;

#[cfg(feature = "loom")]
pub(crate) use checked::*;

/// A value that is exchanged as a whole. Readers take a share of the one that is there, and can ask later whether it still
/// is.
pub(crate) struct Exchanged<T>(RwLock<Arc<T>>);

impl<T> Exchanged<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// The value that is there.
    pub(crate) fn now(&self) -> Arc<T> {
        self.0.read().clone()
    }

    /// Whether this one still is.
    pub(crate) fn is(&self, known: &Arc<T>) -> bool {
        Arc::ptr_eq(&self.0.read(), known)
    }

    /// Puts another in its place. The one before is dropped when nobody has it any more, and never under the lock.
    pub(crate) fn replace(&self, value: T) -> Arc<T> {
        let value = Arc::new(value);
        let before = std::mem::replace(&mut *self.0.write(), value.clone());
        drop(before);
        value
    }
}

#[cfg(feature = "loom")]
mod checked {
    use std::sync::PoisonError;

    pub(crate) use loom::sync::atomic::AtomicU64;

    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Self::new(T::default())
        }
    }

    pub(crate) struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> loom::sync::RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn write(&self) -> loom::sync::RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl<T: Default> Default for RwLock<T> {
        fn default() -> Self {
            Self(loom::sync::RwLock::new(T::default()))
        }
    }
}
