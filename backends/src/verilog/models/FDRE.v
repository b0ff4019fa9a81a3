module FDRE #(
  parameter [0:0] INIT = 1'b0
) (
  output reg Q,
  input wire C,
  input wire CE,
  input wire R,
  input wire D
);
  initial Q = INIT;
  always @(posedge C)
    if (R) Q <= 1'b0;
    else if (CE) Q <= D;
endmodule
