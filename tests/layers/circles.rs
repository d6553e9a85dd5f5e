//! Modules that import each other in a circle.

use super::source::Module;
use std::collections::{BTreeMap, BTreeSet};

/// Module -> the modules whose items it names.
pub(super) type Graph = BTreeMap<String, BTreeSet<String>>;

/// The graph of all modules. An item that a module has from elsewhere counts as that one's. What a module
/// takes from those below it, which it puts together, does not count: children may use its types.
pub(super) fn graph(modules: &[Module]) -> Graph {
    let known: BTreeMap<String, &Module> =
        modules.iter().map(|module| (module.path.join("::"), module)).collect();
    let edges = modules.iter().map(|module| {
        let from = module.path.join("::");
        let to = module.names.iter().filter_map(|(path, _)| home(&known, path, 0));
        let is_below =
            |to: &String| to.strip_prefix(&from).is_some_and(|rest| rest.starts_with("::"));
        let to = to.filter(|to| *to != from && !from.is_empty() && !is_below(to)).collect();
        (from, to)
    });
    edges.collect()
}

/// The module in which an item stands.
fn home(known: &BTreeMap<String, &Module>, path: &[String], depth: usize) -> Option<String> {
    let end = (1..=path.len()).rev().find(|end| known.contains_key(&path[..*end].join("::")))?;
    let module = path[..end].join("::");
    let from = path.get(end).and_then(|item| known[&module].imports.get(item));
    match from {
        Some(from) if depth < 8 => home(known, from, depth + 1).or(Some(module)),
        _ => Some(module),
    }
}

/// The circles: sets of modules of which each leads to each other, in order.
pub(super) fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> =
        graph.keys().map(|from| (from, reachable(graph, from))).collect();
    let mut found: Vec<Vec<String>> = Vec::new();
    for (from, to) in &reach {
        let with: Vec<String> = to
            .iter()
            .filter(|other| **other == *from || reach.get(*other).is_some_and(|r| r.contains(from)))
            .map(|name| (*name).clone())
            .collect();
        if with.len() > 1 && !found.contains(&with) {
            found.push(with);
        }
    }
    found
}

fn reachable<'g>(graph: &'g Graph, from: &'g String) -> BTreeSet<&'g String> {
    let (mut found, mut waiting) = (BTreeSet::new(), vec![from]);
    while let Some(at) = waiting.pop() {
        for next in graph.get(at).into_iter().flatten() {
            if found.insert(next) {
                waiting.push(next);
            }
        }
    }
    found
}
