module MUXF7 (
  output wire O,
  input wire I0,
  input wire I1,
  input wire S
);
  assign O = S ? I1 : I0;
endmodule
