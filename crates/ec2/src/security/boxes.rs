//! Rectangles and stacks of them, made disjoint.
//!
//! An interval set of the kernel's refuses elements that overlap, so the union of overlapping rules is cut
//! into disjoint pieces: at all bounds of one side, merged along the other, and joined again where
//! neighbours are alike. Rule: vpc-network.md section 2, "Overlap trap".

use std::collections::{BTreeMap, BTreeSet};

/// First and last.
pub type Span = (u128, u128);
/// One rectangle: a span of each side.
pub type Flat = (Span, Span);

/// The union of these rectangles, as disjoint ones, in order.
#[must_use]
pub fn disjoint(rectangles: &BTreeSet<Flat>) -> Vec<Flat> {
    let rows = slices(rectangles.iter().map(|(side, _)| *side));
    let row = |slice: &Span| {
        let covering = rectangles.iter().filter(|(side, _)| covers(*side, *slice));
        merged(covering.map(|(_, along)| *along).collect())
    };
    let rows = rows.into_iter().map(|slice| (row(&slice), slice));
    let flat = |(along, side): (Vec<Span>, Span)| along.into_iter().map(move |one| (side, one));
    joined(rows).into_iter().flat_map(flat).collect()
}

/// The union of these stacks (a span, and what lies over it), as disjoint ones, in order of span.
#[must_use]
pub fn disjoint_stacks(stacks: &BTreeMap<Span, BTreeSet<Flat>>) -> Vec<(Span, Vec<Flat>)> {
    let pile = |slice: &Span| {
        let covering = stacks.iter().filter(|(side, _)| covers(**side, *slice));
        let all: BTreeSet<Flat> = covering
            .flat_map(|(_, flats)| flats.iter().copied())
            .collect();
        disjoint(&all)
    };
    let slices = slices(stacks.keys().copied());
    let piles = slices.into_iter().map(|slice| (pile(&slice), slice));
    let piles = joined(piles).into_iter();
    piles.map(|(flats, side)| (side, flats)).collect()
}

fn covers(outer: Span, inner: Span) -> bool {
    outer.0 <= inner.0 && inner.1 <= outer.1
}

/// The pieces into which all bounds cut what is covered.
fn slices(spans: impl Iterator<Item = Span>) -> Vec<Span> {
    let spans: Vec<Span> = spans.collect();
    // Each piece begins where a span begins or just after one ends.
    let mut begins = BTreeSet::new();
    for (first, last) in &spans {
        begins.insert(*first);
        begins.extend(last.checked_add(1));
    }
    let begins: Vec<u128> = begins.into_iter().collect();
    let end = spans.iter().map(|span| span.1).max().unwrap_or(0);
    let piece = |(index, first): (usize, &u128)| {
        let last = begins.get(index + 1).map_or(end, |next| next - 1);
        (*first, last)
    };
    let pieces = begins.iter().enumerate().map(piece);
    let is_covered = |piece: &Span| spans.iter().any(|span| covers(*span, *piece));
    pieces
        .filter(|piece| piece.0 <= piece.1 && is_covered(piece))
        .collect()
}

/// Overlapping and adjacent spans as one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for (first, last) in spans {
        match merged.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// Adjacent spans over which the same lies, as one.
fn joined<T: PartialEq>(pieces: impl Iterator<Item = (T, Span)>) -> Vec<(T, Span)> {
    let mut joined: Vec<(T, Span)> = Vec::new();
    for (what, span) in pieces {
        match joined.last_mut() {
            Some((before, at)) if *before == what && at.1.checked_add(1) == Some(span.0) => {
                at.1 = span.1;
            }
            _ => joined.push((what, span)),
        }
    }
    joined
}
