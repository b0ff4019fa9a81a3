//! The netlist as data of the page, and where its script draws the cone of a chosen net.

use blc_backends::nets::Nets;
use blc_ir::{Func, Module, OpId, Type};
use serde_json::{Value as Json, json};

/// Most tables, primitives and registers of a netlist that a page carries.
const MAX_OPS: usize = 50_000;

/// The viewer; a line that says why, where there is none.
pub fn viewer(module: &Module) -> String {
    let data = match module.top() {
        Some(f) if f.op_count() <= MAX_OPS => data(module, f),
        _ => None,
    };
    let Some(data) = data else {
        return format!("<section><h2>Netlist</h2><p>No netlist here of more than {MAX_OPS} ops.</p></section>\n");
    };
    // Nothing in it may end the element that it stands in.
    let text = data.to_string().replace('<', "\\u003c");
    format!(
        "<section id=\"netlist\"><h2>Netlist</h2>\n<p>The cone of <select id=\"root\"></select> up to \
         <input id=\"size\" type=\"number\" min=\"2\" max=\"400\" value=\"40\"> cells; a click on a cell shows what it \
         reads.</p>\n<svg id=\"cone\"></svg>\n<script type=\"application/json\" id=\"data\">{text}</script></section>\n"
    )
}

/// `{"nodes": [[name, origin, [node, …]], …], "outputs": [[name, node], …]}`; a node reads nodes, registers perhaps later ones.
fn data(module: &Module, f: &Func) -> Option<Json> {
    let nets = Nets::new(module, f).ok()?;
    // By net the node that drives it.
    let mut driver = vec![0usize; nets.count()];
    let mut nodes: Vec<(String, String, Vec<usize>)> = ["0", "1"].map(|n| (n.into(), String::new(), Vec::new())).into();
    if let Some(one) = driver.get_mut(1) {
        *one = 1;
    }
    for port in f.params.iter().filter(|p| f.ty(p.value) != Type::CLOCK) {
        let bits = nets.of(port.value);
        for (bit, net) in bits.iter().enumerate() {
            driver[net.index()] = nodes.len();
            nodes.push((named(&port.name, bit, bits.len()), String::new(), Vec::new()));
        }
    }
    let first = nodes.len();
    for (i, &id) in nets.order.iter().enumerate() {
        f.op(id).results().flat_map(|v| nets.of(v)).for_each(|net| driver[net.index()] = first + i);
    }
    for &id in &nets.order {
        let op = f.op(id);
        let data = op.operands.iter().filter(|&&v| f.ty(v) != Type::CLOCK);
        let mut reads: Vec<usize> = data.flat_map(|&v| nets.of(v)).map(|net| driver[net.index()]).collect();
        reads.dedup();
        nodes.push((op.info().mnemonic.to_owned(), origin(f, id), reads));
    }
    let outputs: Vec<(String, usize)> = (f.results.iter())
        .flat_map(|port| {
            let bits = nets.of(port.value);
            let driver = &driver;
            bits.iter().enumerate().map(move |(bit, net)| (named(&port.name, bit, bits.len()), driver[net.index()]))
        })
        .collect();
    Some(json!({ "nodes": nodes, "outputs": outputs }))
}

fn named(port: &str, bit: usize, bits: usize) -> String {
    if bits == 1 { port.to_owned() } else { format!("{port}[{bit}]") }
}

fn origin(f: &Func, id: OpId) -> String {
    let loc = f.op(id).loc;
    match (f.locs.first_layer(loc), f.locs.first_neuron(loc)) {
        (Some(layer), Some(neuron)) => format!("{layer} {neuron}"),
        (Some(layer), None) => layer.to_owned(),
        _ => String::new(),
    }
}
