module LUT1 #(
  parameter [1:0] INIT = 2'h0
) (
  output wire O,
  input wire I0
);
  wire [1:0] init = INIT;
  assign O = init[I0];
endmodule
