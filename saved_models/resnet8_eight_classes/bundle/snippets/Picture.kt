// From a picture of any size to the model's pixels, as kcnn reads photographs: the center with the
// proportions of the model's images, scaled by a triangle filter that averages all pixels (bilinear
// with antialiasing). Bitmap.createScaledBitmap skips most pixels of a large picture, and costs
// accuracy. Pure Kotlin, so that a test without a phone can run it.
import kotlin.math.abs

/** A picture as rows of ARGB pixels: `readRow(y, row)` fills `row` with row `y`. */
class Picture(val width: Int, val height: Int, val readRow: (Int, IntArray) -> Unit) {
    /** Returns the model's pixels, raw bytes 0-255, row by row, red, green, blue. */
    fun modelPixels(): ByteArray {
        val scale = minOf(height / HEIGHT.toFloat(), width / WIDTH.toFloat())
        val top = (height - scale * HEIGHT) / 2
        val columns = List(WIDTH) { Reach(it, (width - scale * WIDTH) / 2, scale, width) }
        val pixels = ByteArray(HEIGHT * WIDTH * CHANNELS)
        val row = IntArray(width)
        for (y in 0 until HEIGHT) {
            val rows = Reach(y, top, scale, height)
            val sums = FloatArray(3 * WIDTH)
            val weights = FloatArray(WIDTH)
            for (i in rows.first until rows.end) {
                readRow(i, row)
                for (x in 0 until WIDTH) {
                    for (j in columns[x].first until columns[x].end) {
                        val weight = rows.weight(i) * columns[x].weight(j)
                        val alpha = row[j] ushr 24
                        weights[x] += weight
                        for (c in 0..2) {
                            // Transparent pixels are white.
                            val color = row[j] ushr (16 - 8 * c) and 0xFF
                            val value = if (alpha == 255) color.toFloat() else 255f + (color - 255) * alpha / 255f
                            sums[3 * x + c] += weight * value
                        }
                    }
                }
            }
            for (x in 0 until WIDTH) {
                val (red, green, blue) = List(3) { sums[3 * x + it] / weights[x] }
                val place = 3 * (y * WIDTH + x)
                listOf(red, green, blue).forEachIndexed { c, value -> pixels[place + c] = byte(value) }
            }
        }
        return pixels
    }

    private fun byte(value: Float) = (value + 0.5f).toInt().toByte()

    /** Which pixels of a side one output pixel averages, and with which weights. */
    private class Reach(output: Int, start: Float, scale: Float, side: Int) {
        private val center = start + (output + 0.5f) * scale
        private val reach = maxOf(scale, 1f)
        val first = maxOf(0, (center - reach + 0.5f).toInt())
        val end = minOf(side, (center + reach + 0.5f).toInt())

        fun weight(pixel: Int) = maxOf(0f, 1f - abs(pixel + 0.5f - center) / reach)
    }

    companion object {
        const val HEIGHT = 32
        const val WIDTH = 32
        const val CHANNELS = 3
    }
}
