//! The three instructions that straight-line code of lookup tables needs, as bytes.
//!
//! Encoding: Intel, Software Developer's Manual, volume 2, section 2.7 (EVEX). Registers are numbers of `zmm`s, memory is
//! `[rdi + 64 slot]`. Tests decode what is written here with iced-x86.

/// A `zmm` register, 0 to 31.
pub(super) type Reg = u8;

/// Where an operand lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Reg(Reg),
    Slot(u32),
}

/// Largest slot that a displacement of 32 bits reaches.
pub(super) const MAX_SLOT: u32 = (1 << 25) - 1;

const RDI: u8 = 7;

/// `vpternlogq dst, b, c, imm`: `dst` is also the first operand.
pub(super) fn ternlog(code: &mut Vec<u8>, dst: Reg, b: Reg, c: Place, imm: u8) {
    evex(code, 3, 1, 0x25, dst, b, c);
    code.push(imm);
}

/// `vmovdqa64 dst, from`.
pub(super) fn load(code: &mut Vec<u8>, dst: Reg, from: Place) {
    evex(code, 1, 1, 0x6f, dst, 0, from);
}

/// `vmovdqa64 [slot], from`.
pub(super) fn store(code: &mut Vec<u8>, slot: u32, from: Reg) {
    evex(code, 1, 1, 0x7f, from, 0, Place::Slot(slot));
}

/// `vzeroupper; ret`.
pub(super) fn leave(code: &mut Vec<u8>) {
    code.extend([0xc5, 0xf8, 0x77, 0xc3]);
}

/// Prefix, opcode and operands of an instruction on 512 bits with the prefix 66. `map` is the opcode map (1: 0F, 3: 0F3A),
/// `w` the bit W; `v` the second source, 0 where there is none.
fn evex(code: &mut Vec<u8>, map: u8, w: u8, opcode: u8, reg: Reg, v: Reg, rm: Place) {
    // The high bits of register numbers are inverted.
    let (b, x) = match rm {
        Place::Reg(r) => (!r >> 3 & 1, !r >> 4 & 1),
        Place::Slot(_) => (1, 1),
    };
    let p0 = (!reg >> 3 & 1) << 7 | x << 6 | b << 5 | (!reg >> 4 & 1) << 4 | map;
    let p1 = w << 7 | (!v & 15) << 3 | 1 << 2 | 1;
    let p2 = 0b10 << 5 | (!v >> 4 & 1) << 3;
    code.extend([0x62, p0, p1, p2, opcode]);
    let field = (reg & 7) << 3;
    match rm {
        Place::Reg(r) => code.push(0b11 << 6 | field | r & 7),
        // Displacements of one byte count vectors.
        Place::Slot(slot @ 0..128) => code.extend([0b01 << 6 | field | RDI, slot as u8]),
        Place::Slot(slot) => {
            code.push(0b10 << 6 | field | RDI);
            code.extend((slot << 6).to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Code, Decoder, DecoderOptions, Instruction, OpKind, Register};
    use proptest::prelude::*;

    fn decode(code: &[u8]) -> Vec<Instruction> {
        Decoder::new(64, code, DecoderOptions::NONE).into_iter().collect()
    }

    fn zmm(r: Reg) -> Register {
        Register::ZMM0 + u32::from(r)
    }

    fn is_place(i: &Instruction, operand: u32, place: Place) -> bool {
        match place {
            Place::Reg(r) => i.op_kind(operand) == OpKind::Register && i.op_register(operand) == zmm(r),
            Place::Slot(slot) => {
                i.op_kind(operand) == OpKind::Memory
                    && i.memory_base() == Register::RDI
                    && i.memory_index() == Register::None
                    && i.memory_displacement64() == u64::from(slot) * 64
            }
        }
    }

    fn places() -> impl Strategy<Value = Place> {
        prop_oneof![
            (0u8..32).prop_map(Place::Reg),
            (0u32..300).prop_map(Place::Slot),
            (0..=MAX_SLOT).prop_map(Place::Slot)
        ]
    }

    proptest! {
        #[test]
        fn iced_reads_what_is_written(dst in 0u8..32, b in 0u8..32, c in places(), slot in 0..=MAX_SLOT, imm: u8) {
            let mut code = Vec::new();
            ternlog(&mut code, dst, b, c, imm);
            load(&mut code, dst, c);
            store(&mut code, slot, b);
            leave(&mut code);
            let all = decode(&code);
            let codes: Vec<Code> = all.iter().map(Instruction::code).collect();
            prop_assert_eq!(codes, [
                Code::EVEX_Vpternlogq_zmm_k1z_zmm_zmmm512b64_imm8,
                Code::EVEX_Vmovdqa64_zmm_k1z_zmmm512,
                Code::EVEX_Vmovdqa64_zmmm512_k1z_zmm,
                Code::VEX_Vzeroupper,
                Code::Retnq,
            ]);
            prop_assert_eq!(all[0].op0_register(), zmm(dst));
            prop_assert_eq!(all[0].op1_register(), zmm(b));
            prop_assert!(is_place(&all[0], 2, c) && all[0].immediate8() == imm);
            prop_assert!(all[1].op0_register() == zmm(dst) && is_place(&all[1], 1, c));
            prop_assert!(all[2].op1_register() == zmm(b) && is_place(&all[2], 0, Place::Slot(slot)));
            prop_assert!(all.iter().all(|i| i.op_mask() == Register::None && !i.is_broadcast()));
        }
    }
}
