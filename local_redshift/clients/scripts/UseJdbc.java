// First-day work with pgjdbc: the metadata calls of BI tools, prepared statements and batches.
import java.sql.*;
import java.util.*;

public class UseJdbc {
    interface Step { void run() throws Exception; }

    static void report(String name, String error) {
        String text = error == null ? "null" : "\"" + error.replace("\\", "\\\\").replace("\"", "'").replaceAll("\\s+", " ") + "\"";
        System.out.println("STEP {\"name\": \"" + name + "\", \"error\": " + text + "}");
    }

    static void step(String name, Step body) {
        try { body.run(); report(name, null); }
        catch (Throwable error) { report(name, error.toString()); }
    }

    static void refused(String name, String words, Step body) {
        try { body.run(); report(name, "accepted, and Redshift refuses it"); }
        catch (Throwable error) {
            report(name, error.toString().toLowerCase().contains(words) ? null : "refused in other words: " + error);
        }
    }

    static void expect(Object value, Object wanted) {
        if (!Objects.equals(value, wanted)) throw new AssertionError(value + " instead of " + wanted);
    }

    static List<String> names(ResultSet rows, String column) throws SQLException {
        List<String> found = new ArrayList<>();
        while (rows.next()) found.add(rows.getString(column));
        return found;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> env = System.getenv();
        String url = "jdbc:postgresql://" + env.get("REDSHIFT_HOST") + ":" + env.get("REDSHIFT_PORT") + "/" + env.get("REDSHIFT_DATABASE");
        Connection connection = DriverManager.getConnection(url, env.get("REDSHIFT_USER"), env.get("REDSHIFT_PASSWORD"));
        DatabaseMetaData data = connection.getMetaData();
        Statement statement = connection.createStatement();

        step("connect", () -> expect(data.getDatabaseProductVersion(), "8.0.2"));
        step("create table", () -> statement.execute(
            "create table songs (id int not null, title varchar(50), price numeric(8,2), primary key (id)) distkey (id) sortkey (id)"));
        step("prepared statement", () -> {
            PreparedStatement insert = connection.prepareStatement("insert into songs values (?, ?, ?)");
            for (int n = 0; n < 20; n++) {
                insert.setInt(1, n); insert.setString(2, "song " + n); insert.setBigDecimal(3, new java.math.BigDecimal("1.50"));
                insert.addBatch();
            }
            expect(insert.executeBatch().length, 20);
        });
        step("fetch size in a transaction", () -> {
            connection.setAutoCommit(false);
            Statement paged = connection.createStatement();
            paged.setFetchSize(5);
            expect(names(paged.executeQuery("select title from songs order by id"), "title").size(), 20);
            connection.commit();
            connection.setAutoCommit(true);
        });
        step("prepared select, used ten times", () -> {
            PreparedStatement select = connection.prepareStatement("select title from songs where id = ?");
            for (int n = 0; n < 10; n++) {
                select.setInt(1, n);
                expect(names(select.executeQuery(), "title").get(0), "song " + n);
            }
        });
        step("getSchemas", () -> { if (!names(data.getSchemas(), "TABLE_SCHEM").contains("public")) throw new AssertionError("no public"); });
        step("getCatalogs", () -> { if (!names(data.getCatalogs(), "TABLE_CAT").contains(env.get("REDSHIFT_DATABASE"))) throw new AssertionError("no database"); });
        step("getTables", () -> expect(names(data.getTables(null, "public", "%", new String[] {"TABLE"}), "TABLE_NAME"), List.of("songs")));
        step("getTables of any type shows no sort key as an index", () -> {
            List<String> found = names(data.getTables(null, "public", "%", null), "TABLE_NAME");
            found.remove("songs_pkey");
            expect(found, List.of("songs"));
        });
        step("getColumns", () -> expect(names(data.getColumns(null, "public", "songs", "%"), "COLUMN_NAME"), List.of("id", "title", "price")));
        step("getPrimaryKeys", () -> expect(names(data.getPrimaryKeys(null, "public", "songs"), "COLUMN_NAME"), List.of("id")));
        step("getIndexInfo", () -> data.getIndexInfo(null, "public", "songs", false, true).close());
        step("getImportedKeys", () -> data.getImportedKeys(null, "public", "songs").close());
        step("getTypeInfo", () -> data.getTypeInfo().close());
        step("getFunctions", () -> data.getFunctions(null, null, "getdate").close());
        step("query time-out", () -> {
            Statement slow = connection.createStatement();
            slow.setQueryTimeout(1);
            try { slow.executeQuery("select count(*) from songs a, songs b, songs c, songs d, songs e, songs f, songs g"); }
            catch (SQLException error) { expect(error.getSQLState(), "57014"); return; }
            throw new AssertionError("was not canceled");
        });
        refused("savepoint is refused", "savepoint", () -> {
            connection.setAutoCommit(false);
            try { connection.setSavepoint(); } finally { connection.rollback(); connection.setAutoCommit(true); }
        });
        refused("RETURN_GENERATED_KEYS is refused", "returning", () -> {
            PreparedStatement insert = connection.prepareStatement("insert into songs values (99, 'a', 1)", Statement.RETURN_GENERATED_KEYS);
            insert.executeUpdate();
        });
        connection.close();
    }
}
