//! The floors: `src/lib.rs` groups its modules bottom to top, and a module uses only groups below.

use crate::source::Source;
use crate::{agreed, says, tree};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Floors on which neighbours may use each other, as long as nobody gets back to itself.
const FLOORS_OF_NEIGHBOURS: [&str; 2] = ["ground", "plumbing"];

struct Floor {
    name: String,
    modules: Vec<String>,
}

/// The floors of `lib.rs`, bottom first, and a remark for each module that stands on none.
fn floors(lib: &Source) -> (Vec<Floor>, Vec<String>) {
    let (mut floors, mut remarks, mut open) = (Vec::<Floor>::new(), Vec::new(), false);
    for (index, (text, code)) in lib.text.lines().zip(lib.code.lines()).enumerate() {
        if let Some(name) = text.trim().strip_prefix("// floor:") {
            let name = name.trim().to_owned();
            floors.push(Floor {
                name,
                modules: Vec::new(),
            });
        }
        open = !text.trim().is_empty() && (open || text.trim().starts_with("// floor:"));
        let Some(module) = declared(code) else {
            continue;
        };
        match floors.last_mut().filter(|_| open) {
            Some(floor) => floor.modules.push(module),
            None => remarks.push(format!(
                "src/lib.rs:{}: `{module}` stands on no floor. Put it into the group of its \
                 floor, or begin a group with a line `// floor: <name>`.",
                index + 1
            )),
        }
    }
    (floors, remarks)
}

fn declared(code: &str) -> Option<String> {
    let (_, after) = code.trim().strip_suffix(';')?.rsplit_once("mod ")?;
    Some(after.trim().to_owned())
}

fn height(floors: &[Floor], module: &str) -> Option<usize> {
    let holds = |floor: &Floor| floor.modules.iter().any(|name| name == module);
    floors.iter().position(holds)
}

fn off_the_stairs(sources: &[Source]) -> Vec<String> {
    let Some(lib) = sources.iter().find(|source| source.path == "src/lib.rs") else {
        return vec!["src/lib.rs: is not there, so there are no floors to read.".to_owned()];
    };
    let (floors, mut remarks) = floors(lib);
    let mut sideways = Vec::new();
    for source in sources {
        let Some(module) = source.module() else {
            continue; // above all floors
        };
        let Some(own) = height(&floors, module) else {
            let path = &source.path;
            remarks.push(format!(
                "{path}:1: `{module}` is on no floor of src/lib.rs. Put it there."
            ));
            continue;
        };
        for (line, used) in source.reaches() {
            let place = format!("{}:{line}", source.path);
            match height(&floors, &used).map(|other| other.cmp(&own)) {
                Some(Ordering::Greater) => remarks.push(climbs(&place, module, &used)),
                Some(Ordering::Equal) if used != module => {
                    sideways.push((module.to_owned(), used, place));
                }
                Some(Ordering::Equal | Ordering::Less) | None => {}
            }
        }
    }
    let friendly = |edge: &Edge| {
        let floor = height(&floors, &edge.0).map(|at| floors[at].name.as_str());
        floor.is_some_and(|name| FLOORS_OF_NEIGHBOURS.contains(&name))
    };
    let (allowed, refused): (Vec<Edge>, Vec<Edge>) = sideways.into_iter().partition(friendly);
    remarks.extend(refused.iter().map(goes_sideways));
    remarks.extend(circle(&allowed));
    remarks
}

fn climbs(place: &str, module: &str, used: &str) -> String {
    format!(
        "{place}: `{module}` uses `{used}`, which stands on a floor above it. Move what both need \
         down, or let `{used}` hand it in."
    )
}

fn goes_sideways((module, used, place): &Edge) -> String {
    format!(
        "{place}: `{module}` uses `{used}`, its neighbour on the same floor. Move what both need \
         down a floor, or bring them together in a module above."
    )
}

/// Who uses whom, and where.
type Edge = (String, String, String);

/// One way round, if there is any: a project without the one may still have the next.
fn circle(edges: &[Edge]) -> Option<String> {
    edges.iter().find_map(|(from, to, place)| {
        let way = way(edges, to, from, &mut BTreeSet::new())?.join("` → `");
        Some(format!(
            "{place}: `{from}` uses `{to}` and so itself: `{from}` → `{way}`. One of them has to \
             be first; move what the others need from it into a module of its own below them."
        ))
    })
}

fn way(edges: &[Edge], from: &str, to: &str, seen: &mut BTreeSet<String>) -> Option<Vec<String>> {
    if from == to {
        return Some(vec![to.to_owned()]);
    }
    if !seen.insert(from.to_owned()) {
        return None;
    }
    let next = edges.iter().filter(|(start, ..)| start == from);
    let mut rest = next.filter_map(|(_, end, _)| way(edges, end, to, seen));
    rest.next()
        .map(|rest| [vec![from.to_owned()], rest].concat())
}

#[test]
fn a_module_uses_only_the_floors_below() {
    agreed(off_the_stairs(&Source::below(&["src"])));
}

#[test]
fn climbing_is_seen() {
    let lib =
        "// floor: ground\npub mod clock;\nmod id;\n\n// floor: books\nmod ledger;\nmod rates;";
    let climbs = (
        "src/clock.rs",
        "/// [`crate::ledger`]\nuse crate::{id, ledger::Entry};",
    );
    says(
        off_the_stairs(&tree(&[("src/lib.rs", lib), climbs])),
        "src/clock.rs:2: `clock` uses `ledger`, which",
    );

    let beside = (
        "src/ledger/mod.rs",
        "fn a() { super::rates::b() }\nuse crate::clock;",
    );
    says(
        off_the_stairs(&tree(&[("src/lib.rs", lib), beside])),
        "src/ledger/mod.rs:1: `ledger` uses `rates`, its",
    );

    let (there, back) = (
        ("src/clock.rs", "use crate::id;"),
        ("src/id.rs", "use crate::clock::A;"),
    );
    says(off_the_stairs(&tree(&[("src/lib.rs", lib), there])), "");
    let both = tree(&[("src/lib.rs", lib), there, back]);
    says(
        off_the_stairs(&both),
        "src/clock.rs:1: `clock` uses `id` and so itself",
    );

    let nowhere = ("src/lib.rs", "// floor: ground\nmod clock;\n\nmod id;");
    says(
        off_the_stairs(&tree(&[nowhere])),
        "src/lib.rs:4: `id` stands on no floor",
    );
}
