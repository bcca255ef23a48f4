//! A view: what a service derives from the rows of several tables, kept up to date by every write.
//!
//! An index finds rows and a tally sums them; a view joins them into whatever a decision wants to
//! have at hand. Like both it is derived: nothing of it is stored, and loading the rows, in any
//! order, makes it again. Its type must be cheap to clone (persistent maps), as a transaction works
//! on a copy.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A view of type `V`, declared as a `static` by the service that owns it.
#[derive(Debug)]
pub struct View<V: 'static> {
    name: &'static str,
    empty: fn() -> V,
}

/// How the rows `R` of one table change a view of type `V`.
#[derive(Debug)]
pub struct Feed<V: 'static, R: 'static> {
    /// The view.
    pub view: &'static View<V>,
    /// Moves the view from what a row was to what it is; `None` where there was or is none.
    pub changed: fn(&mut V, Option<&R>, Option<&R>),
}

impl<V: Clone + fmt::Debug + Send + Sync + 'static> View<V> {
    /// Declares a view. `name` is unique in the whole store.
    #[must_use]
    pub const fn new(name: &'static str, empty: fn() -> V) -> Self {
        Self { name, empty }
    }
}

/// A view whose type the store does not know.
pub trait ViewDefinition: Sync {
    /// Unique in the whole store.
    fn name(&self) -> &'static str;
    /// What it is when no table has a row.
    fn empty(&self) -> Arc<dyn Derived>;
}

impl<V: Clone + fmt::Debug + Send + Sync + 'static> ViewDefinition for View<V> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn empty(&self) -> Arc<dyn Derived> {
        Arc::new((self.empty)())
    }
}

/// A feed whose view's type its table does not know.
pub trait FeedDefinition<R>: Sync {
    /// The view that is fed.
    fn view(&self) -> &'static dyn ViewDefinition;
    /// Moves the view from what a row was to what it is.
    fn changed(&self, views: &mut Views, before: Option<&R>, now: Option<&R>);
}

impl<V: Clone + fmt::Debug + Send + Sync + 'static, R> FeedDefinition<R> for Feed<V, R> {
    fn view(&self) -> &'static dyn ViewDefinition {
        self.view
    }

    fn changed(&self, views: &mut Views, before: Option<&R>, now: Option<&R>) {
        (self.changed)(views.get_mut(self.view), before, now);
    }
}

/// A view's value, type-erased.
pub trait Derived: Send + Sync + fmt::Debug {
    /// A copy that shares structure.
    fn copy(&self) -> Arc<dyn Derived>;
    /// For the checked way back to the type.
    fn as_any(&self) -> &dyn Any;
    /// For the checked way back to the type.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<V: Clone + fmt::Debug + Send + Sync + 'static> Derived for V {
    fn copy(&self) -> Arc<dyn Derived> {
        Arc::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// The views of a World.
#[derive(Clone, Debug)]
pub struct Views(Vec<(&'static str, Arc<dyn Derived>)>);

impl Views {
    /// Each of these once, as it is without a row.
    pub(crate) fn empty(definitions: impl Iterator<Item = &'static dyn ViewDefinition>) -> Self {
        let mut views: Vec<(&'static str, Arc<dyn Derived>)> = Vec::new();
        for view in definitions {
            if views.iter().all(|(name, _)| *name != view.name()) {
                views.push((view.name(), view.empty()));
            }
        }
        Self(views)
    }

    pub(crate) fn get<V: 'static>(&self, view: &'static View<V>) -> &V {
        let mut views = self.0.iter();
        let found = views.find(|(name, _)| *name == view.name);
        let typed = found.and_then(|(_, value)| value.as_ref().as_any().downcast_ref());
        typed.expect("a view is read in a store whose tables feed it, each name with one type")
    }

    fn get_mut<V: 'static>(&mut self, view: &'static View<V>) -> &mut V {
        let mut views = self.0.iter_mut();
        let found = views.find(|(name, _)| *name == view.name);
        let typed = found.and_then(|(_, shared)| {
            if Arc::get_mut(shared).is_none() {
                *shared = shared.as_ref().copy();
            }
            Arc::get_mut(shared).and_then(|value| value.as_any_mut().downcast_mut())
        });
        typed.expect("World::empty makes every view that a table feeds, each name with one type")
    }
}
