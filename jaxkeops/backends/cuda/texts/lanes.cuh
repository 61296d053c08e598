// What a thread has of the matrices that its warp multiplies: of tiles of 16 rows and 8 columns, two
// rows and two neighbouring columns of each.

constexpr int LANE_ROWS = 4; // of two tiles: the rows of a warp are those of its threads

DEVICE int lane() { return (int)(threadIdx.x % 32); }

// Row k of this thread, of its block.
DEVICE int lane_row(int k) { return (int)(threadIdx.x / 32 * 32) + k * 8 + lane() / 4; }
// The first of two neighbouring columns, of 8.
DEVICE int lane_column() { return lane() % 4 * 2; }
