//! Yosys' JSON netlist format, which nextpnr takes: every bit a number, every op a cell of the device.
//!
//! Format: `write_json` in Yosys' manual. Ports are as in the Verilog: vectors, bit `b` of element `e` at `e * W + b`.

use blc_ir::{Module, OpKind, Result};
use rustc_hash::FxHashSet;
use serde_json::{Map, Value as Json, json};

use crate::carry8::Joined;
use crate::cells::{self, Cell, Direction, Value, carry8, two_carries};
use crate::emit::{Options, VERSION, origin, plain, top};
use crate::names::{Language, Named};
use crate::nets::Net;
use crate::ripple::Ripples;

/// JSON of the module's top function, at hw or bit level.
///
/// # Errors
/// Those of [`crate::nets::Nets::new`], `BL3001` for a module without functions, `BL3007` for an op that the device has
/// no cell for.
pub fn emit(module: &Module, options: &Options) -> Result<String> {
    let f = top(module)?;
    let mut named = Named::new(module, f, Language::Verilog)?;
    let joined = (module.target.as_deref() == Some("xcup")).then(|| Joined::new(&mut named.nets));
    let mut ripples = Ripples::new(&mut named.nets, options.device.as_ref());
    let mut cells = Map::new();
    let mut driven: FxHashSet<Net> = FxHashSet::default();
    for i in 0..named.nets.order.len() {
        let id = named.nets.order[i];
        let made = match (&joined, f.op(id).kind) {
            (Some(joined), OpKind::Xc7Carry4 {}) if joined.is_first(id) => continue,
            (Some(joined), OpKind::Xc7Carry4 {}) => {
                vec![carry8(joined.cell(&named.nets, id).ok_or_else(|| two_carries(&named.nets, id))?)]
            }
            _ => match ripples.take(id) {
                Some(made) => made,
                None => vec![cells::of(&named.nets, id, options)?],
            },
        };
        for cell in made {
            let outputs = cell.pins.iter().filter(|pin| pin.direction == Direction::Out);
            driven.extend(outputs.flat_map(|pin| &pin.nets));
            let name = format!("{}_cell", named.bit(f.op(id).result()).replace('[', "_").replace(']', ""));
            let name = named.namer.claim(&name);
            cells.insert(name, cell_json(&cell, &origin(&f.locs, f.op(id).loc)));
        }
    }
    let mut ports = Map::new();
    let mut netnames = Map::new();
    let ins = f.params.iter().zip(&named.params).map(|p| ("input", p));
    for (direction, (port, names)) in ins.chain(f.results.iter().zip(&named.results).map(|p| ("output", p))) {
        let bits = bits(named.nets.of(port.value));
        netnames.insert(names.name.clone(), json!({"hide_name": 0, "bits": bits, "attributes": {}}));
        ports.insert(names.name.clone(), json!({"direction": direction, "bits": bits}));
    }
    for &id in &named.nets.order {
        for v in f.op(id).results() {
            let net = named.nets.bit(v);
            if !driven.contains(&net) {
                continue;
            }
            let name = named.of(net).replace('[', "_").replace(']', "");
            if !netnames.contains_key(&name) {
                netnames.insert(name, json!({"hide_name": 0, "bits": bits(&[net]), "attributes": {}}));
            }
        }
    }
    let sources: Vec<String> = options.made_from.iter().map(|s| plain(s)).collect();
    let attributes = json!({"top": format!("{:032b}", 1), "made_from": sources.join("; ")});
    let body = json!({"attributes": attributes, "ports": ports, "cells": cells, "netnames": netnames});
    let all = json!({"creator": format!("written by blc {VERSION}"), "modules": {named.name.as_str(): body}});
    Ok(serde_json::to_string_pretty(&all).unwrap_or_default() + "\n")
}

/// Nets as Yosys numbers them: constants are strings, numbers below 2 are not used.
fn bits(nets: &[Net]) -> Vec<Json> {
    let number = |net: &Net| match net.as_const() {
        Some(value) => json!(if value { "1" } else { "0" }),
        None => json!(net.index()),
    };
    nets.iter().map(number).collect()
}

fn cell_json(cell: &Cell<'_>, origin: &str) -> Json {
    let parameters: Map<_, _> =
        cell.parameters.iter().map(|(name, value)| ((*name).into(), parameter(value))).collect();
    let direction = |d| if d == Direction::In { "input" } else { "output" };
    let directions: Map<_, _> = cell.pins.iter().map(|p| (p.name.into(), json!(direction(p.direction)))).collect();
    let connections: Map<_, _> = cell.pins.iter().map(|p| (p.name.into(), json!(bits(&p.nets)))).collect();
    let attributes = if origin.is_empty() { json!({}) } else { json!({"blc": origin}) };
    json!({
        "hide_name": 0, "type": cell.kind, "parameters": parameters, "attributes": attributes,
        "port_directions": directions, "connections": connections,
    })
}

fn parameter(value: &Value<'_>) -> Json {
    match value {
        // A word that reads as bits gets a space behind it, by the format's own rule.
        Value::Text(text) if text.trim_end().chars().all(|c| "01xz".contains(c)) => json!(format!("{text} ")),
        Value::Text(text) => json!(text),
        Value::Bits(width, words) => {
            let bit = |b: usize| words.get(b / 64).is_some_and(|w| w >> (b % 64) & 1 == 1);
            json!((0..*width).rev().map(|b| if bit(b) { '1' } else { '0' }).collect::<String>())
        }
    }
}
