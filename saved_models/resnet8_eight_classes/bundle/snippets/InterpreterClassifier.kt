// Classifies a picture with the Interpreter, LiteRT's older API. Use it on phones on which the
// CompiledModel of Classifier.kt does not run:
//
//   dependencies { implementation("com.google.ai.edge.litert:litert:2.2.0") }
//
// or, smaller, after TfLite.initialize(context) has succeeded:
//
//   dependencies { implementation("com.google.android.gms:play-services-tflite-java:16.4.0") }
import android.content.Context
import android.graphics.Bitmap
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import org.tensorflow.lite.InterpreterApi

class InterpreterClassifier(
    context: Context,
    file: String = "model_int8.tflite",
    options: InterpreterApi.Options = InterpreterApi.Options(),
) : AutoCloseable {
    private val interpreter = InterpreterApi.create(
        context.assets.openFd(file).use { asset ->
            FileInputStream(asset.fileDescriptor).channel.use {
                it.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.declaredLength)
            }
        },
        // For Play services: options.setRuntime(InterpreterApi.Options.TfLiteRuntime.FROM_SYSTEM_ONLY)
        options,
    )
    private val input = ByteBuffer.allocateDirect(Picture.HEIGHT * Picture.WIDTH * Picture.CHANNELS)
        .order(ByteOrder.nativeOrder())
    private val output = Array(1) { ByteArray(Scores.OUTPUTS) }

    /** Classifies the center of an upright picture. Returns all classes, the most probable first. */
    fun classify(bitmap: Bitmap): List<Answer> {
        val picture = bitmap.copy(Bitmap.Config.ARGB_8888, false)
        return classify(
            Picture(picture.width, picture.height) { y, row ->
                picture.getPixels(row, 0, picture.width, 0, y, picture.width, 1)
            }.modelPixels(),
        )
    }

    /** Classifies raw bytes 0-255, row by row, red, green, blue. Returns all classes, the most probable first. */
    fun classify(pixels: ByteArray): List<Answer> {
        input.rewind()
        input.put(Scores.stored(pixels))
        input.rewind()
        interpreter.run(input, output)
        return Scores.answers(output[0])
    }

    override fun close() = interpreter.close()
}
