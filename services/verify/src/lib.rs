//! Questions to a live release: does it take an order, does it have the size it should.
