/* Returns the first element of a kernel that lies inside the image, or the one behind the last. */
static int first_inside(int origin, int dilation) {
  return origin < 0 ? (dilation - 1 - origin) / dilation : 0;
}

static int end_inside(int origin, int dilation, int image, int kernel) {
  const int inside = (image - origin + dilation - 1) / dilation;
  return inside < kernel ? inside : kernel;
}
