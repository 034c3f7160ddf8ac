"""The Gateway API: weights in the user's HTTPRoutes and GRPCRoutes, header routes beside them."""
