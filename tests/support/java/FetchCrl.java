import java.io.ByteArrayInputStream;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.util.HexFormat;
import java.util.Hashtable;
import javax.naming.Context;
import javax.naming.NamingEnumeration;
import javax.naming.directory.InitialDirContext;

/** Fetches the CRLs of an entry by JNDI, reads each, and tells its SHA-256. */
public class FetchCrl {
    public static void main(String[] arguments) throws Exception {
        Hashtable<String, String> environment = new Hashtable<>();
        environment.put(Context.INITIAL_CONTEXT_FACTORY, "com.sun.jndi.ldap.LdapCtxFactory");
        environment.put(Context.PROVIDER_URL, arguments[0]);
        String attribute = "certificateRevocationList;binary";
        environment.put("java.naming.ldap.attributes.binary", attribute);
        InitialDirContext context = new InitialDirContext(environment);
        NamingEnumeration<?> values = context.getAttributes("", new String[] {attribute}).get(attribute).getAll();
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        while (values.hasMore()) {
            X509CRL crl = (X509CRL) factory.generateCRL(new ByteArrayInputStream((byte[]) values.next()));
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(crl.getEncoded());
            System.out.println(HexFormat.of().formatHex(digest));
        }
    }
}
