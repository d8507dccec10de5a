"""Records of a run: types, storage, status, costs, removal."""
