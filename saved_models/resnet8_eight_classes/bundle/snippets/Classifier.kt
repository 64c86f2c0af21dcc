// Classifies a picture with LiteRT's CompiledModel on Android 7 (API 24) and later. Picture.kt scales
// the picture, Scores.kt reads the answer.
//
// Put model_int8.tflite into app/src/main/assets, and these lines into build.gradle.kts (Kotlin 2.3):
//
//   android { androidResources { noCompress += "tflite" } }
//   dependencies { implementation("com.google.ai.edge.litert:litert:2.2.0") }
import android.annotation.TargetApi
import android.content.Context
import android.graphics.Bitmap
import android.graphics.ImageDecoder
import android.os.Build
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import java.io.File

class Classifier(context: Context, file: String = "model_int8.tflite") : AutoCloseable {
    private val model =
        CompiledModel.create(context.assets, file, CompiledModel.Options(Accelerator.CPU))
    private val inputs = model.createInputBuffers()
    private val outputs = model.createOutputBuffers()

    /** Classifies the center of an image file, rotated as its EXIF data say. Needs Android 9. */
    @TargetApi(Build.VERSION_CODES.P)
    fun classify(file: File): List<Answer> =
        // BitmapFactory would not rotate, and the pixels of a HARDWARE bitmap cannot be read.
        classify(ImageDecoder.decodeBitmap(ImageDecoder.createSource(file)) { decoder, _, _ ->
            decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
        })

    /** Classifies the center of an upright picture. Returns all classes, the most probable first. */
    fun classify(bitmap: Bitmap): List<Answer> = classify(pixelsOf(bitmap))

    /** Classifies raw bytes 0-255, row by row, red, green, blue. Returns all classes, the most probable first. */
    fun classify(pixels: ByteArray): List<Answer> = Scores.answers(run(pixels))

    /** Returns the stored outputs for raw bytes, to compare with golden/outputs.bin. */
    fun run(pixels: ByteArray): ByteArray {
        inputs[0].writeInt8(Scores.stored(pixels))
        model.run(inputs, outputs)
        return outputs[0].readInt8()
    }

    override fun close() {
        (inputs + outputs).forEach { it.close() }
        model.close()
    }

    companion object {
        /** Returns the model's pixels of an upright picture. */
        fun pixelsOf(bitmap: Bitmap): ByteArray {
            val picture = bitmap.copy(Bitmap.Config.ARGB_8888, false)
            return Picture(picture.width, picture.height) { y, row ->
                picture.getPixels(row, 0, picture.width, 0, y, picture.width, 1)
            }.modelPixels()
        }
    }
}
