module LUT2 #(
  parameter [3:0] INIT = 4'h0
) (
  output wire O,
  input wire I0,
  input wire I1
);
  wire [3:0] init = INIT;
  assign O = init[{I1, I0}];
endmodule
