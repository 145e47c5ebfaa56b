import com.pixelmed.dicom.AttributeList;
import com.pixelmed.validate.DicomSRValidator;

/** PixelMed's validator over several files in one virtual machine: starting it is most of the time. */
public class ValidateReports {
    public static void main(String[] files) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        for (String file : files) {
            System.out.println("File " + file);
            System.out.println(validator.validate(file));
        }
    }
}
