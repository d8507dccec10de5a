"""The stages that write the formats of a trial's model, validate them and measure them."""
