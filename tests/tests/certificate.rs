//! Certificates are checked by a checker that others wrote (`dratify`): every clause follows from those before it by unit propagation, the
//! last one is empty. The checker is shown to refuse a proof with something missing.

use blc_ir::Func;
use blc_passes::equiv::{Certificate, Options, Side, Verdict, compare};
use blc_tests::nets::{self, module_of, random_net, random_words};
use dratify::{Checker, Lit};

fn run(f: &Func, passes: &str) -> Func {
    let mut module = module_of(f.clone());
    nets::run(&mut module, passes);
    module.funcs.pop().expect("a function")
}

fn certificate(a: &Func, b: &Func) -> Certificate {
    let (x, y) = (module_of(a.clone()), module_of(b.clone()));
    let options = Options { certificate: true, ..Options::default() };
    let found = compare(Side { module: &x, f: a }, Side { module: &y, f: b }, &options);
    let found = found.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(found.verdict, Verdict::Proved);
    found.certificate.expect("a certificate was asked for")
}

/// A clause of a line: variable `v` has the literals `2v` and `2v + 1`.
fn clause(line: &str) -> Vec<Lit> {
    let numbers: Vec<i64> = line.split_whitespace().map(|n| n.parse().expect("a number")).collect();
    let (last, numbers) = numbers.split_last().expect("an end");
    assert_eq!(*last, 0, "{line}");
    numbers.iter().map(|&n| (n.unsigned_abs() as Lit - 1) * 2 + Lit::from(n < 0)).collect()
}

/// Variables and clauses of a DIMACS text, whose head says how many there are.
fn formula(cnf: &str) -> (u32, Vec<Vec<Lit>>) {
    let mut lines = cnf.lines().filter(|l| !l.starts_with('c'));
    let head: Vec<&str> = lines.next().expect("a head").split(' ').collect();
    let ["p", "cnf", variables, count] = head[..] else { panic!("{head:?}") };
    let clauses: Vec<Vec<Lit>> = lines.map(clause).collect();
    assert_eq!(clauses.len(), count.parse::<usize>().expect("a number"));
    (variables.parse().expect("a number"), clauses)
}

/// Whether every step follows, and the empty clause is one of them.
fn holds(cnf: &str, steps: &[Vec<Lit>]) -> bool {
    let (variables, clauses) = formula(cnf);
    let mut checker = Checker::new(variables, &clauses, false, false);
    steps.iter().all(|step| checker.check_step(false, step)) && steps.last().is_some_and(Vec::is_empty)
}

#[test]
fn somebody_elses_checker_takes_every_certificate() {
    let (mut proofs, mut steps, mut needed) = (0, 0, 0);
    for seed in 0..12 {
        let net = random_net(seed, 8, 3, 10);
        let designs = [
            (net.clone(), "fold,cover{k=4},fold"),
            (net, "fold,cover,pipeline{stages=2},to-xc7,dce"),
            (random_words(seed, 20), "lower-encoder,lower-head,fold,cover"),
        ];
        for (design, passes) in designs {
            let certificate = certificate(&design, &run(&design, passes));
            let proof: Vec<Vec<Lit>> = certificate.drat.lines().map(clause).collect();
            assert!(holds(&certificate.cnf, &proof), "seed {seed}, {passes}");
            // Without its steps the end does not follow, unless it follows at once.
            needed += usize::from(!holds(&certificate.cnf, &[Vec::new()]));
            assert!(!holds(&certificate.cnf, &proof[..proof.len() - 1]), "a proof without its end");
            (proofs, steps) = (proofs + 1, steps + proof.len());
        }
    }
    println!("{proofs} certificates of {steps} clauses, {needed} of them needed");
    assert!(proofs == 36 && needed > 10, "{proofs} {needed}");
}

#[test]
fn a_wrong_certificate_is_refused() {
    let net = random_net(3, 8, 3, 10);
    let good = certificate(&net, &run(&net, "fold,cover{k=4},fold"));
    let proof: Vec<Vec<Lit>> = good.drat.lines().map(clause).collect();
    // Some literal turned round in a clause of the proof, or a clause of the formula lost.
    let mut wrong = 0;
    for at in 0..proof.len() {
        let mut steps = proof.clone();
        let Some(first) = steps[at].first_mut() else { continue };
        *first ^= 1;
        wrong += usize::from(!holds(&good.cnf, &steps));
    }
    assert!(wrong > proof.len() / 2, "{wrong} of {}", proof.len());
    let lines: Vec<&str> = good.cnf.lines().collect();
    let last = lines.len() - 1;
    // The last clause says that some output differs: without it there is no contradiction.
    let head = lines.iter().position(|l| l.starts_with('p')).expect("a head");
    let mut fewer: Vec<String> = lines[..last].iter().map(ToString::to_string).collect();
    let words: Vec<&str> = lines[head].split(' ').collect();
    fewer[head] = format!("p cnf {} {}", words[2], words[3].parse::<usize>().expect("a number") - 1);
    assert!(!holds(&fewer.join("\n"), &proof));
}
