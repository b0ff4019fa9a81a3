module CARRY8 #(
  parameter CARRY_TYPE = "SINGLE_CY8"
) (
  output wire [7:0] CO,
  output wire [7:0] O,
  input wire CI,
  input wire CI_TOP,
  input wire [7:0] DI,
  input wire [7:0] S
);
  wire c0 = CI;
  wire c1 = S[0] ? c0 : DI[0];
  wire c2 = S[1] ? c1 : DI[1];
  wire c3 = S[2] ? c2 : DI[2];
  wire c4 = S[3] ? c3 : DI[3];
  wire k4 = CARRY_TYPE == "DUAL_CY4" ? CI_TOP : c4;
  wire c5 = S[4] ? k4 : DI[4];
  wire c6 = S[5] ? c5 : DI[5];
  wire c7 = S[6] ? c6 : DI[6];
  wire c8 = S[7] ? c7 : DI[7];
  assign CO = {c8, c7, c6, c5, c4, c3, c2, c1};
  assign O = S ^ {c7, c6, c5, k4, c3, c2, c1, c0};
endmodule
