// How the model stores pixels, and what its outputs mean. Pure Kotlin, so that a test without a phone
// can run it.
import kotlin.math.exp

data class Answer(val label: String, val probability: Float)

object Scores {
    /** Returns raw bytes 0-255 as the model takes them: `pixel - 128`. */
    fun stored(pixels: ByteArray) = ByteArray(pixels.size) { ((pixels[it].toInt() and 0xFF) - 128).toByte() }

    /** Returns all classes for the model's output, the most probable first. */
    fun answers(output: ByteArray): List<Answer> =
        probabilities(output)
            .mapIndexed { index, probability -> Answer(LABELS[index], probability) }
            .sortedByDescending { it.probability }

    private fun probabilities(output: ByteArray): List<Float> {
        val real = output.map { OUTPUT_SCALE * (it - OUTPUT_ZERO_POINT) }
        val largest = real.reduce { one, other -> maxOf(one, other) }
        val exponentials = real.map { exp(it - largest) }
        val sum = exponentials.sum()
        return exponentials.map { it / sum }
    }

    private const val OUTPUT_SCALE = 0.1417110711336136f
    private const val OUTPUT_ZERO_POINT = -39
    const val OUTPUTS = 8
    val LABELS = listOf(
        "airplane",
        "automobile",
        "bird",
        "deer",
        "frog",
        "horse",
        "ship",
        "truck"
    )
}
