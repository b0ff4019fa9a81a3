//! And-xor graphs: what both designs become, over shared inputs and structurally hashed, so that what is built alike is
//! one node. Nodes are in topological order; node 0 is the constant 0.

use rustc_hash::FxHashMap;

/// A node, inverted or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lit(u32);

impl Lit {
    /// The constant 0.
    pub const ZERO: Self = Self(0);
    /// The constant 1.
    pub const ONE: Self = Self(1);

    /// A node itself.
    pub fn new(node: usize) -> Self {
        Self((node as u32) << 1)
    }

    /// The constant of a value.
    pub fn constant(value: bool) -> Self {
        Self(u32::from(value))
    }

    /// The node.
    pub fn node(self) -> usize {
        (self.0 >> 1) as usize
    }

    /// Whether it is inverted.
    pub fn inverted(self) -> bool {
        self.0 & 1 == 1
    }

    /// Inverted where `by` says so.
    pub fn invert_if(self, by: bool) -> Self {
        Self(self.0 ^ u32::from(by))
    }

    /// The value of a constant.
    pub fn as_const(self) -> Option<bool> {
        (self.0 < 2).then_some(self.0 == 1)
    }
}

impl std::ops::Not for Lit {
    type Output = Self;
    fn not(self) -> Self {
        Self(self.0 ^ 1)
    }
}

/// What a node computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gate {
    /// Node 0.
    Zero,
    /// An input of that number.
    Input(u32),
    /// Both; the smaller literal first.
    And(Lit, Lit),
    /// One of two plain nodes, the smaller first.
    Xor(Lit, Lit),
}

/// Simplifies an and of two literals: the literal it is, or the gate.
pub fn and_gate(a: Lit, b: Lit) -> Result<Lit, Gate> {
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    match (a, b) {
        (Lit::ZERO, _) => Ok(Lit::ZERO),
        (Lit::ONE, b) => Ok(b),
        _ if a == b => Ok(a),
        _ if a == !b => Ok(Lit::ZERO),
        _ => Err(Gate::And(a, b)),
    }
}

/// Simplifies an exclusive or: the literal it is, or the gate and whether its output is inverted.
pub fn xor_gate(a: Lit, b: Lit) -> Result<Lit, (Gate, bool)> {
    let inverted = a.inverted() ^ b.inverted();
    let (a, b) = (a.invert_if(a.inverted()), b.invert_if(b.inverted()));
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    match a {
        _ if a == b => Ok(Lit::constant(inverted)),
        Lit::ZERO => Ok(b.invert_if(inverted)),
        _ => Err((Gate::Xor(a, b), inverted)),
    }
}

/// The graph.
#[derive(Clone, Debug)]
pub struct Graph {
    gates: Vec<Gate>,
    levels: Vec<u32>,
    known: FxHashMap<Gate, u32>,
    inputs: Vec<Lit>,
    most: usize,
}

impl Default for Graph {
    fn default() -> Self {
        Self::new(1 << 26)
    }
}

impl Graph {
    /// An empty one, for so many nodes at most.
    pub fn new(most: usize) -> Self {
        Self { gates: vec![Gate::Zero], levels: vec![0], known: FxHashMap::default(), inputs: Vec::new(), most }
    }

    /// Whether there are more nodes than there may be.
    pub fn is_full(&self) -> bool {
        self.len() > self.most
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.gates.len()
    }

    /// The inputs, in order.
    pub fn inputs(&self) -> &[Lit] {
        &self.inputs
    }

    /// What a node computes.
    pub fn gate(&self, node: usize) -> Gate {
        self.gates[node]
    }

    /// Gates on the longest way from an input to a node.
    pub fn level(&self, node: usize) -> u32 {
        self.levels[node]
    }

    /// Adds an input.
    pub fn input(&mut self) -> Lit {
        let lit = self.push(Gate::Input(self.inputs.len() as u32), 0);
        self.inputs.push(lit);
        lit
    }

    fn push(&mut self, gate: Gate, level: u32) -> Lit {
        self.gates.push(gate);
        self.levels.push(level);
        Lit::new(self.gates.len() - 1)
    }

    fn find(&mut self, gate: Gate, a: Lit, b: Lit) -> Lit {
        if let Some(&node) = self.known.get(&gate) {
            return Lit::new(node as usize);
        }
        let level = 1 + self.level(a.node()).max(self.level(b.node()));
        let lit = self.push(gate, level);
        self.known.insert(gate, lit.node() as u32);
        lit
    }

    /// `a & b`
    pub fn and(&mut self, a: Lit, b: Lit) -> Lit {
        and_gate(a, b).unwrap_or_else(|gate| self.find(gate, a, b))
    }

    /// `a | b`
    pub fn or(&mut self, a: Lit, b: Lit) -> Lit {
        !self.and(!a, !b)
    }

    /// `a ^ b`
    pub fn xor(&mut self, a: Lit, b: Lit) -> Lit {
        xor_gate(a, b).unwrap_or_else(|(gate, inverted)| self.find(gate, a, b).invert_if(inverted))
    }

    /// `s ? b : a`
    pub fn mux(&mut self, s: Lit, a: Lit, b: Lit) -> Lit {
        if a == !b {
            return self.xor(s, a);
        }
        if a == b {
            return a;
        }
        let (low, high) = (self.and(!s, a), self.and(s, b));
        self.or(low, high)
    }

    /// Nodes that the literals depend on, themselves among them, by node.
    pub fn cone(&self, roots: impl IntoIterator<Item = Lit>) -> Vec<bool> {
        let mut seen = vec![false; self.len()];
        let mut work: Vec<usize> = roots.into_iter().map(Lit::node).collect();
        while let Some(node) = work.pop() {
            if !std::mem::replace(&mut seen[node], true)
                && let Gate::And(a, b) | Gate::Xor(a, b) = self.gates[node]
            {
                work.extend([a.node(), b.node()]);
            }
        }
        seen
    }
}
