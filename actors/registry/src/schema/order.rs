//! In which order subschemas lead to one another, and how long their ways are.

use super::excerpt::pointer_excerpt;
use super::schema_fault::SchemaFault;
use super::subschemas::Subschema;

/// How many subschemas the checker may be built through at once. It is built by recursion on the stack of whoever calls
/// it, some KiB for each subschema; more for those that ask what is unevaluated.
const MOST_BUILT: usize = 144;
const MOST_BUILT_WITH_UNEVALUATED: usize = 112;

/// How many references the library follows by recursion, before it puts what they mean aside for later.
const FOLLOWED: usize = 8;

/// How many members and items may be noted, over all places where it is asked what is unevaluated.
const MOST_NOTED: usize = 200_000;

/// Refuses what the checker could not be built for. For what asks what is unevaluated it follows all references by
/// recursion, at every place where it is asked.
pub(super) fn buildable(all: &[Subschema], order: &[usize]) -> Result<(), Vec<SchemaFault>> {
    let refuse = |sentence: String| Err(vec![SchemaFault::new("", sentence)]);
    let longest = longest_way(all);
    if !all.iter().any(|subschema| subschema.unevaluated) {
        let itself = all.first().map_or(0, |root| root.height);
        let targets = all.iter().filter(|subschema| subschema.target);
        let highest = targets.map(|subschema| subschema.height).max().unwrap_or(0);
        let built = longest.min(highest.saturating_mul(FOLLOWED).saturating_add(itself));
        if built > MOST_BUILT {
            return refuse(format!(
                "has up to {highest} levels where it is referred to; with as many references one after the other it can be {}",
                MOST_BUILT.saturating_sub(itself) / FOLLOWED
            ));
        }
        return Ok(());
    }
    if longest > MOST_BUILT_WITH_UNEVALUATED {
        return refuse(format!(
            "leads through up to {longest} subschemas; with unevaluatedProperties or unevaluatedItems it can be {MOST_BUILT_WITH_UNEVALUATED}"
        ));
    }
    let mut noted = vec![0_usize; all.len()];
    let mut total = 0_usize;
    for &index in order {
        let Some(subschema) = all.get(index) else { continue };
        let called = subschema.in_place.iter().filter_map(|&called| noted.get(called));
        let here =
            called.fold(subschema.below.len().saturating_add(1), |sum, called| sum.saturating_add(*called));
        if subschema.unevaluated {
            total = total.saturating_add(here);
        }
        mark(&mut noted, index, here);
    }
    if total > MOST_NOTED {
        return refuse("asks too often for what is unevaluated, of too much".to_owned());
    }
    Ok(())
}

/// Returns how long the longest way can be: of what leads to no circle, the height; of the rest, all.
fn longest_way(all: &[Subschema]) -> usize {
    let leads = |subschema: &Subschema| -> Vec<usize> {
        subschema.in_place.iter().copied().chain(subschema.below.iter().map(|(_, target)| *target)).collect()
    };
    let mut from: Vec<Vec<usize>> = vec![Vec::new(); all.len()];
    let mut left: Vec<usize> = Vec::with_capacity(all.len());
    for (index, subschema) in all.iter().enumerate() {
        let leads = leads(subschema);
        left.push(leads.len());
        for target in leads {
            if let Some(from) = from.get_mut(target) {
                from.push(index);
            }
        }
    }
    let mut heights = vec![1_usize; all.len()];
    let mut ready: Vec<usize> =
        left.iter().enumerate().filter(|(_, left)| **left == 0).map(|(index, _)| index).collect();
    let (mut done, mut highest) = (0_usize, 0);
    while let Some(index) = ready.pop() {
        done += 1;
        let height = heights.get(index).copied().unwrap_or_default();
        highest = height.max(highest);
        for &above in from.get(index).into_iter().flatten() {
            if let Some(place) = heights.get_mut(above) {
                *place = height.saturating_add(1).max(*place);
            }
            if let Some(left) = left.get_mut(above) {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    ready.push(above);
                }
            }
        }
    }
    highest.saturating_add(all.len().saturating_sub(done))
}

/// Orders subschemas so that each comes after those that it calls in place, or names a way in which one calls itself.
pub(super) fn called_first(all: &[Subschema]) -> Result<Vec<usize>, SchemaFault> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Not,
        UnderWay,
        Done,
    }
    let mut seen = vec![Seen::Not; all.len()];
    let mut order = Vec::with_capacity(all.len());
    let mut way: Vec<(usize, std::slice::Iter<'_, usize>)> = Vec::new();
    for (start, subschema) in all.iter().enumerate() {
        if seen.get(start) != Some(&Seen::Not) {
            continue;
        }
        way.push((start, subschema.in_place.iter()));
        mark(&mut seen, start, Seen::UnderWay);
        while let Some((index, calls)) = way.last_mut() {
            let index = *index;
            let Some(&called) = calls.next() else {
                mark(&mut seen, index, Seen::Done);
                order.push(index);
                way.pop();
                continue;
            };
            match seen.get(called) {
                Some(Seen::Not) => {
                    if let Some(subschema) = all.get(called) {
                        mark(&mut seen, called, Seen::UnderWay);
                        way.push((called, subschema.in_place.iter()));
                    }
                }
                Some(Seen::UnderWay) => {
                    let circle = way.iter().map(|(index, _)| *index).skip_while(|index| *index != called);
                    return Err(endless(all, circle.chain([called]).collect()));
                }
                Some(Seen::Done) | None => {}
            }
        }
    }
    Ok(order)
}

fn mark<T>(all: &mut [T], index: usize, as_what: T) {
    if let Some(place) = all.get_mut(index) {
        *place = as_what;
    }
}

fn endless(all: &[Subschema], circle: Vec<usize>) -> SchemaFault {
    /// Longer ways are told by their beginning.
    const TOLD: usize = 8;
    let pointers =
        circle.iter().filter_map(|&index| all.get(index)).map(|subschema| subschema.pointer.as_str());
    let mut told: Vec<_> =
        pointers.clone().take(TOLD).map(|pointer| format!("#{}", pointer_excerpt(pointer))).collect();
    if circle.len() > TOLD {
        told.push("…".to_owned());
    }
    let sentence = format!("leads back to itself for the same value, without end: {}", told.join(" → "));
    SchemaFault::new(pointers.clone().next().unwrap_or_default(), sentence)
}
